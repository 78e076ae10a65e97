import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest import NO_PART
from ser_pipeline.splits import fold_number, make_split, parts_for
from ser_pipeline.splits.folds import row_places
from ser_pipeline.splits.split import fold_rows, part_rows


@pytest.fixture
def manifest(in_memory, people_rows):
    return in_memory([*people_rows("emodb", 8, language="de"), *people_rows("nemo", 5, language="pl")])


@pytest.mark.parametrize(("fold", "number"), [(0, 0), (1, 1), ("1", 1), ("nemo", 1), ("emodb", 0)])
def test_a_fold_is_named_or_numbered(manifest, fold, number):
    assert fold_number(make_split(manifest, "loco"), fold) == number


def test_a_name_wins_over_a_number(manifest):
    split = dataclasses.replace(make_split(manifest, "loco"), folds=("1", "2"))
    assert [fold_number(split, fold) for fold in ("1", "2", 1)] == [0, 1, 1]


@pytest.mark.parametrize("fold", [2, -1, "2", "-1", "x", "", "²"])
def test_a_fold_that_does_not_exist(manifest, fold):
    with pytest.raises(
        SplitError, match=r"split loco has no fold .*; valid are 0 to 1, or their names: emodb, nemo"
    ):
        fold_number(make_split(manifest, "loco"), fold)


def test_folds_asked_of_a_split_without_them(manifest):
    split = make_split(manifest, "speaker")
    with pytest.raises(SplitError, match="split speaker has no folds; leave out --fold 0"):
        parts_for(split, manifest, 0)


def test_no_fold_asked_of_a_split_with_them(manifest):
    with pytest.raises(SplitError, match="split kfold has folds; choose one with --fold 0 to 4, or 'all'"):
        parts_for(make_split(manifest, "kfold"), manifest)


def test_parts_of_a_split_are_those_of_its_rows(manifest):
    split = make_split(manifest, "stratified")
    parts = parts_for(split, manifest)
    assert parts.dtype == np.int8
    names = np.array(["train", "validation", "test"])[parts]
    assert names.tolist() == split.table["part"].to_pylist()


def test_the_test_part_of_a_fold_is_the_fold(manifest):
    split = make_split(manifest, "kfold")
    for fold in range(5):
        parts = parts_for(split, manifest, fold)
        assert ((parts == 2) == (split.table["fold"].to_numpy() == fold)).all()


def test_validation_is_whole_speakers_of_every_corpus(manifest):
    split = make_split(manifest, "loso")
    parts = parts_for(split, manifest, "emodb-003")
    speakers = np.array(manifest.table["speaker_id"].to_pylist())
    validating = set(speakers[parts == 1].tolist())
    assert validating.isdisjoint(speakers[parts != 1].tolist())
    assert sorted(name.split("-")[0] for name in validating) == ["emodb", "emodb", "nemo"]


def test_a_fold_gives_the_same_parts_every_time_and_another_seed_others(manifest):
    folds = [
        parts_for(make_split(manifest, "loso", seed=seed), manifest, 0).tolist() for seed in (0, 0, 1, 2)
    ]
    assert folds[0] == folds[1]
    assert folds[0] != folds[2] or folds[0] != folds[3]


def test_no_validation_where_the_ratios_want_none(manifest):
    split = make_split(manifest, "loco", ratios=(80, 0, 20))
    assert set(parts_for(split, manifest, 0).tolist()) == {0, 2}


def test_validation_of_corpora_too_small_to_spare_a_speaker_each(in_memory, people_rows):
    rows = [*people_rows("a", 2), *people_rows("b", 2), *people_rows("c", 2)]
    manifest = in_memory(rows)
    split = make_split(manifest, "loco")
    for fold in range(3):
        parts = parts_for(split, manifest, fold)
        assert np.bincount(parts).tolist() == [24, 8, 16]


def test_a_fold_with_nobody_left_to_validate(in_memory, people_rows):
    manifest = in_memory(people_rows("a", 2))
    ids = manifest.table["utterance_id"]
    split = make_split(in_memory(people_rows("a", 3)), "loso")
    folds = np.array([0] * 8 + [1] * 8)
    split = dataclasses.replace(split, table=fold_rows(ids, folds), folds=("x", "y"))
    with pytest.raises(SplitError, match="fold x: one speaker is left to train and validate; two are needed"):
        parts_for(split, manifest, 0)


def test_rows_outside_the_split_are_in_no_part(manifest):
    split = make_split(manifest, "speaker")
    shorter = dataclasses.replace(split, table=split.table.slice(10))
    parts = parts_for(shorter, manifest)
    assert (parts[:10] == NO_PART).all()
    assert (parts[10:] == parts_for(split, manifest)[10:]).all()


def test_rows_in_another_order_find_their_place(manifest, rng):
    split = make_split(manifest, "speaker")
    order = rng.permutation(split.table.num_rows)
    shuffled = dataclasses.replace(split, table=split.table.take(pa.array(order)))
    assert row_places(shuffled, manifest).tolist() == order.tolist()
    assert parts_for(shuffled, manifest).tolist() == parts_for(split, manifest).tolist()


def test_a_row_the_manifest_does_not_have(manifest):
    split = make_split(manifest, "speaker")
    ids = pa.chunked_array([["emodb/nobody"]])
    strange = dataclasses.replace(split, table=part_rows(ids, np.array([0])))
    with pytest.raises(
        SplitError, match="split speaker: not in the manifest: emodb/nobody; run 'ser manifest split"
    ):
        parts_for(strange, manifest)


def test_a_row_twice(manifest):
    split = make_split(manifest, "speaker")
    twice = dataclasses.replace(split, table=pa.concat_tables([split.table, split.table.slice(0, 1)]))
    with pytest.raises(SplitError, match="split speaker: a recording occurs twice"):
        parts_for(twice, manifest)


def test_parts_that_tear_a_speaker_are_refused_unless_the_split_says_so(manifest):
    split = make_split(manifest, "stratified")
    parts_for(split, manifest)
    lying = dataclasses.replace(split, leaks_speakers=False)
    with pytest.raises(SplitError, match="split stratified: speakers are in more than one part: emodb-000"):
        parts_for(lying, manifest)
