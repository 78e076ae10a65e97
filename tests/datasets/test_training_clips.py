import numpy as np
import pytest
import torch

from ser_pipeline.datasets.training_clips import TrainingClips
from ser_pipeline.datasets.vectors import VectorClips


@pytest.fixture
def clips(rng):
    return VectorClips(rng.standard_normal((6, 3)).astype(np.float32), np.arange(6) % 2)


def test_batches_carry_their_clips_targets_and_weights(clips):
    soft = np.eye(6, 2, dtype=np.float32)
    batch = TrainingClips(clips, soft, np.arange(6, dtype=np.float32)).__getitems__([4, 1])
    assert batch.weights.tolist() == [4.0, 1.0]
    assert torch.equal(batch.soft, torch.from_numpy(soft[[4, 1]]))
    assert torch.equal(batch.inputs, clips.values[[4, 1]])


def test_without_them_a_batch_has_neither(clips):
    batch = TrainingClips(clips)[3]
    assert (batch.soft, batch.weights) == (None, None)
    assert len(TrainingClips(clips)) == 6


def test_a_run_has_them_where_its_recipe_wants_them_and_in_training_only(toy):
    plain = toy.data()
    assert not isinstance(plain.training_clips(plain.learned()), TrainingClips)
    data = toy.data(train={"soft_labels": 0.5, "intensity_strength": 1.0})
    learned = data.learned()
    training = data.training_clips(learned)
    assert isinstance(training, TrainingClips)
    assert training.weights.mean() == pytest.approx(1)
    assert torch.equal(training.soft.argmax(1), torch.from_numpy(data.examples.target[data.rows("train")]))
    assert not isinstance(data.clips(data.rows("validation"), learned), TrainingClips)
