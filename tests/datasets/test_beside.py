"""Mels with vectors beside them: what batches hold, and what is learned of training clips."""

import numpy as np
import pytest
import torch

from ser_pipeline.datasets.augment import augment_batch
from ser_pipeline.datasets.batch import BesideClips
from ser_pipeline.errors import RunError, SettingsError, StoreMissing, TrainingError
from ser_pipeline.options import FeatureOptions, Fused

MIXED = {"model": {"name": "crnn"}, "on": "mels,features"}


def whole(clips):
    return clips.__getitems__(range(len(clips)))


@pytest.mark.parametrize("normalise", ["none", "speaker", "adaptive", "relative"])
@pytest.mark.parametrize("level", ["clip_rms", "corpus_rms"])
def test_a_batch_holds_what_each_store_alone_gives(toy, normalise, level):
    toy.write_features()
    both = toy.data(**MIXED, normalise=normalise, front_end={"level": level})
    mels = toy.data(front_end={"level": level})
    vectors = toy.data(model={"name": "dnn"}, normalise=normalise)
    learned = both.learned()
    assert learned.gains_db == mels.learned().gains_db
    assert learned.scaling == vectors.learned().scaling
    assert learned.voice == vectors.learned().voice
    assert bool(learned.gains_db) == (level == "corpus_rms")
    assert (both.n_inputs, both.n_beside) == (8, 253)
    rows = both.rows("validation")
    batch = whole(both.clips(rows, learned))
    sound = whole(mels.clips(rows, mels.learned()))
    assert torch.equal(batch.inputs, sound.inputs)
    assert torch.equal(batch.lengths, sound.lengths)
    assert torch.equal(batch.targets, sound.targets)
    assert torch.equal(batch.beside, whole(vectors.clips(rows, vectors.learned())).inputs)


def test_each_pretended_enrolment_stands_beside_the_same_mels(toy):
    toy.write_features()
    both = toy.data(**MIXED, normalise="adaptive")
    batch = whole(both.training_clips(both.learned()))
    count = len(both.rows("train"))
    assert len(batch.targets) == 3 * count
    assert torch.equal(batch.inputs[:count], batch.inputs[count : 2 * count])
    assert not torch.equal(batch.beside[:count], batch.beside[count : 2 * count])
    vectors = toy.data(model={"name": "dnn"}, normalise="adaptive")
    assert torch.equal(batch.beside, whole(vectors.training_clips(vectors.learned())).inputs)


def test_clips_that_are_read_batch_by_batch_are_the_same(toy):
    toy.write_features()
    both = toy.data(**MIXED)
    rows, learned = both.rows("train"), both.learned()
    kept, read = both.clips(rows, learned), both.clips(rows, learned, memory_limit=0)
    assert isinstance(read, BesideClips)
    assert kept.shards is None
    assert len(read.shards) == len(rows)
    for one, other in zip(kept.__getitems__([5, 2]), read.__getitems__([5, 2]), strict=True):
        assert one is other is None or torch.equal(one, other)


def test_variants_have_both(toy):
    toy.write_features()
    for part in (None, FeatureOptions()):
        toy.write_variants(1, part)
    both = toy.data(**MIXED, train={"copies": 1})
    batch = whole(both.training_clips(both.learned()))
    count = len(both.rows("train"))
    assert len(batch.beside) == 2 * count
    assert batch.inputs[count:].min() >= 2 - 0.01


def test_mixup_mixes_both_by_the_same_share(toy):
    toy.write_features()
    both = toy.data(**MIXED, train={"mixup": {"alpha": 1.0}, "spec_augment": False})
    batch = whole(both.clips(both.rows("train"), both.learned()))
    mels = batch.beside[:, :8, None].expand_as(batch.inputs).contiguous()
    same = batch._replace(inputs=mels, lengths=torch.full_like(batch.lengths, mels.shape[2]))
    mixed = augment_batch(same, both.recipe.train, both.recipe.front_end, 4, torch.Generator().manual_seed(0))
    assert not torch.equal(mixed.beside, same.beside)
    torch.testing.assert_close(mixed.inputs[:, :, 0], mixed.beside[:, :8])


def test_best_layers_are_chosen_by_the_vectors_alone(toy):
    from ser_pipeline.training.layers import settled

    toy.write_embeddings()
    found = {}
    for name, on in (("crnn", "mels,embeddings"), ("dnn", "embeddings")):
        data = toy.data(model={"name": name}, on=on, layers="best")
        found[name] = settled(data, toy.folder / "run").choice
    assert found["crnn"] == found["dnn"]
    assert found["crnn"][0].layers == (2,)


def test_a_clip_that_one_store_could_not_use_is_left_out_and_told(toy):
    toy.write_features(failed=(3, 70))
    both = toy.data(**MIXED)
    assert len(both.examples) == len(toy.data().examples) - len(both.failed)
    assert {reason for _, reason in both.failed} == {"features: silent"}
    assert isinstance(both.recipe.inputs, Fused)


def test_vectors_of_other_columns_than_were_learned_are_refused(toy):
    toy.write_features()
    toy.write_embeddings()
    both, other = toy.data(**MIXED), toy.data(model={"name": "crnn"}, on="mels,embeddings", layers="2")
    with pytest.raises(RunError, match="trained on other features than the store holds"):
        both.clips(both.rows("train"), other.learned())


def test_a_store_that_is_missing_or_unfinished_names_its_command(toy):
    with pytest.raises(StoreMissing, match="no features for these settings; run 'ser cache features --cache"):
        toy.data(**MIXED)
    toy.write_features(missing=(4,))
    with pytest.raises(StoreMissing, match="the store lacks 1 of 120 clips; run 'ser cache features --cache"):
        toy.data(**MIXED)


def test_stores_without_a_common_clip_are_refused(toy):
    toy.write_features(failed=range(120))
    with pytest.raises(TrainingError, match="none of 120 clips could be used"):
        toy.data(**MIXED)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"model": {"name": "probe"}, "on": "frames,embeddings"},
            "probe reads frames and takes features beside",
        ),
        ({"model": {"name": "crnn"}, "on": "mels,frames,features"}, "crnn reads mels and takes features or"),
        (
            {"model": {"name": "dnn"}, "on": "frames"},
            "dnn learns from vectors, which are features and embeddings",
        ),
        (MIXED | {"on": "mels,embeddings", "normalise": "relative"}, "normalise relative is for features"),
    ],
)
def test_what_does_not_go_together_is_one_line(toy, changes, said):
    with pytest.raises(SettingsError, match=said):
        toy.recipe(**changes)


def test_other_inputs_than_a_model_reads_stay_without_effect(toy):
    data = toy.data(on="features")  # as runs on mels were always written down
    assert (data.recipe.vectors, data.n_beside, data.store.kind) == ((), 0, "mels")
    assert data.recipe.inputs == toy.front_end
    assert np.isin(data.recipe.on, ["features"]).all()
