import dataclasses
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest import NO_PART
from ser_pipeline.manifest.schema import SPLIT_SCHEMA
from ser_pipeline.splits import fold_number, make_split, parts_for
from ser_pipeline.splits.parts import checked_split, shares_table
from ser_pipeline.splits.split import fold_rows, part_rows, row_places
from ser_pipeline.tables import records


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


def test_a_fold_keeps_a_speaker_to_train(in_memory, people_rows):
    manifest = in_memory(people_rows("emodb", 6, clips=1))
    split = make_split(manifest, "kfold", folds=2, ratios=(10.0, 80.0, 10.0))
    for fold in (0, 1):
        assert np.bincount(parts_for(split, manifest, fold)).tolist() == [4, 8, 12]


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


@pytest.fixture
def uneven(in_memory, people_rows):
    return in_memory([*people_rows("emodb", 10, emotions=2), *people_rows("nemo", 3, emotions=2)])


def with_rows(split, change):
    rows = [change(dict(row)) for row in split.table.to_pylist()]
    return replace(split, table=pa.Table.from_pylist([row for row in rows if row], SPLIT_SCHEMA))


def test_one_corpus_in_closed_form(in_memory, people_rows):
    manifest = in_memory(people_rows("emodb", 10, emotions=2))
    table = shares_table(make_split(manifest, "speaker"), manifest)
    assert table.headings == [
        "corpus", "part", "clips", "share", "speakers", "female", "male", "anger", "happiness",
    ]  # fmt: skip
    assert [tuple(entry.value for entry in row.entries) for row in table.rows] == [
        ("emodb", "train", 24, 0.6, 6, 3, 3, 12, 12),
        ("emodb", "validation", 8, 0.2, 2, 1, 1, 4, 4),
        ("emodb", "test", 8, 0.2, 2, 1, 1, 4, 4),
    ]


@pytest.mark.parametrize("kind", ["speaker", "stratified", "kfold", "loso", "loco"])
def test_rows_add_up_to_the_manifest(uneven, kind):
    split = make_split(uneven, kind)
    shares = records(shares_table(split, uneven))
    for corpus, clips in (("all", 52), ("emodb", 40), ("nemo", 12)):
        rows = [row for row in shares if row["corpus"] == corpus]
        assert sum(row["clips"] for row in rows) == clips
        assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.01)
        for row in rows:
            assert row["anger"] + row["happiness"] == row["clips"]
            assert row["female"] + row["male"] == row["speakers"]
    assert {row["fold" if split.folds else "part"] for row in shares} == set(
        split.folds or ("train", "validation", "test")
    )


def test_folds_that_hold_nothing_of_a_corpus_have_no_row(uneven):
    shares = records(shares_table(make_split(uneven, "loco"), uneven))
    assert [(row["corpus"], row["fold"], row["clips"]) for row in shares] == [
        ("all", "emodb", 40), ("all", "nemo", 12), ("emodb", "emodb", 40), ("nemo", "nemo", 12),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["speaker", "kfold", "loco"])
def test_a_sound_split_passes(uneven, kind):
    found = checked_split(make_split(uneven, kind), uneven)
    assert (found.shared_speakers, found.shared_audio, found.strangers, found.left_out) == (0, 0, 0, 0)
    assert not found.broken
    assert not found.stale
    assert sum(share.clips for share in found.shares if share.corpus == "all") == 52


def test_a_split_that_says_it_leaks_is_not_broken(uneven):
    found = checked_split(make_split(uneven, "stratified"), uneven)
    assert found.shared_speakers
    assert not found.broken


def test_a_speaker_on_two_sides_is_counted(uneven):
    first = uneven.table["utterance_id"][0].as_py()
    split = make_split(uneven, "speaker")
    now = {row["utterance_id"]: row["part"] for row in split.table.to_pylist()}
    other = "test" if now[first] != "test" else "train"
    moved = with_rows(split, lambda row: row | ({"part": other} if row["utterance_id"] == first else {}))
    found = checked_split(moved, uneven)
    assert (found.shared_speakers, found.shared_audio) == (1, 0)
    assert found.broken


def test_the_same_bytes_on_two_sides_are_broken_whatever_the_split_says(in_memory, people_rows):
    rows = people_rows("emodb", 2)
    twice = [*rows[:-1], {**rows[-1], "audio_digest": rows[0]["audio_digest"]}]
    manifest = in_memory(twice)
    split = with_rows(
        make_split(manifest, "stratified"),
        lambda row: row | {"part": "test" if row["utterance_id"].startswith("emodb/000") else "train"},
    )
    found = checked_split(split, manifest)
    assert (found.shared_audio, found.broken) == (1, True)


def test_rows_of_another_manifest_are_counted_apart(uneven, in_memory, people_rows):
    split = make_split(uneven, "speaker")
    smaller = replace(in_memory(people_rows("emodb", 9, emotions=2)), digest="1" * 32)
    found = checked_split(split, smaller)
    assert (found.strangers, found.left_out, found.stale) == (4 + 12, 0, True)
    part = with_rows(split, lambda row: row if row["part"] == "test" else None)
    assert checked_split(part, uneven).left_out == 52 - part.table.num_rows


def test_folds_beyond_those_named_are_counted_all_the_same(uneven):
    odd = with_rows(make_split(uneven, "loco"), lambda row: row | {"fold": row["fold"] + 5})
    assert {share.side for share in checked_split(odd, uneven).shares} == {"5", "6"}
