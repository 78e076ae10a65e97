import numpy as np
import pytest
import torch

from ser_pipeline.datasets.training_clips import JoinedClips, TrainingClips
from ser_pipeline.datasets.vectors import VectorClips
from ser_pipeline.errors import StoreMissing


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


def test_joined_sets_are_numbered_set_after_set(rng):
    parts = [VectorClips(rng.standard_normal((6, 3)).astype(np.float32), np.arange(6)) for _ in range(3)]
    joined = JoinedClips(parts)
    assert len(joined) == 18
    batch = joined.__getitems__([13, 2, 6, 17, 2])
    assert batch.numbers.tolist() == [13, 2, 6, 17, 2]
    assert batch.targets.tolist() == [1, 2, 0, 5, 2]
    expected = [
        parts[2].values[1],
        parts[0].values[2],
        parts[1].values[0],
        parts[2].values[5],
        parts[0].values[2],
    ]
    assert torch.equal(batch.inputs, torch.stack(expected))


def test_joined_sets_that_are_read_in_pieces_share_no_shard(toy):
    toy.write_variants(1)
    data = toy.data(train={"copies": 1})
    rows = data.rows("train")
    clean = data.clips(rows, data.learned(), memory_limit=0)
    joined = JoinedClips([clean, clean])
    assert set(joined.shards[: len(rows)]).isdisjoint(joined.shards[len(rows) :])
    assert joined.buffer == 2 * clean.buffer


def test_variants_are_of_training_clips_and_in_training_alone(toy):
    toy.write_variants(2)
    data = toy.data(train={"copies": 2, "soft_labels": 0.5})
    rows, learned = data.rows("train"), data.learned()
    training = data.training_clips(learned)
    assert len(training) == 3 * len(rows)
    everything = training.__getitems__(range(len(training)))
    numbers = everything.inputs[:, 0, 0].view(3, -1)[1:] - torch.tensor([[2.0], [3.0]])
    own = [int(digest, 16) for digest in data.examples.table["audio_digest"].to_pylist()]
    expected = torch.tensor([own[row] / 100 for row in rows]).repeat(2, 1)
    assert torch.allclose(numbers, expected, atol=3e-3)
    assert torch.equal(everything.targets, torch.from_numpy(np.tile(data.examples.target[rows], 3)))
    assert torch.equal(everything.soft.argmax(1), everything.targets)
    for part in ("validation", "test"):
        clips = data.clips(data.rows(part), learned)
        assert len(clips) == len(data.rows(part))
        assert clips.__getitems__(range(len(clips))).inputs.max() < 2  # every variant lies above
    assert len(data.chances()) == len(training)
    assert data.drawn_counts().sum() == pytest.approx(len(training))


def test_variants_change_nothing_that_is_learned_from_clean_clips(toy):
    toy.write_variants(1, front_end={"level": "corpus_rms"})
    plain = toy.data(front_end={"level": "corpus_rms"})
    data = toy.data(front_end={"level": "corpus_rms"}, train={"copies": 1})
    assert data.learned() == plain.learned()


def test_variants_that_were_never_computed_are_asked_for(toy):
    with pytest.raises(StoreMissing, match="ser cache augment --copies 2"):
        toy.data(train={"copies": 2})
    toy.write_variants(1)
    with pytest.raises(StoreMissing, match=r"lacks \d+ of \d+ variants of training clips; .*--copies 2"):
        toy.data(train={"copies": 2})
    assert toy.inputs(train={"copies": 1}).variants is not None
