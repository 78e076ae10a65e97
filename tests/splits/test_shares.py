from dataclasses import replace

import pyarrow as pa
import pytest

from ser_pipeline.manifest.schema import SPLIT_SCHEMA
from ser_pipeline.splits import make_split
from ser_pipeline.splits.shares import checked_split, shares_table
from ser_pipeline.tables import records


@pytest.fixture
def manifest(in_memory, people_rows):
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
def test_rows_add_up_to_the_manifest(manifest, kind):
    split = make_split(manifest, kind)
    shares = records(shares_table(split, manifest))
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


def test_folds_that_hold_nothing_of_a_corpus_have_no_row(manifest):
    shares = records(shares_table(make_split(manifest, "loco"), manifest))
    assert [(row["corpus"], row["fold"], row["clips"]) for row in shares] == [
        ("all", "emodb", 40), ("all", "nemo", 12), ("emodb", "emodb", 40), ("nemo", "nemo", 12),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["speaker", "kfold", "loco"])
def test_a_sound_split_passes(manifest, kind):
    found = checked_split(make_split(manifest, kind), manifest)
    assert (found.shared_speakers, found.shared_audio, found.strangers, found.left_out) == (0, 0, 0, 0)
    assert not found.broken
    assert not found.stale
    assert sum(share.clips for share in found.shares if share.corpus == "all") == 52


def test_a_split_that_says_it_leaks_is_not_broken(manifest):
    found = checked_split(make_split(manifest, "stratified"), manifest)
    assert found.shared_speakers
    assert not found.broken


def test_a_speaker_on_two_sides_is_counted(manifest):
    first = manifest.table["utterance_id"][0].as_py()
    split = make_split(manifest, "speaker")
    now = {row["utterance_id"]: row["part"] for row in split.table.to_pylist()}
    other = "test" if now[first] != "test" else "train"
    moved = with_rows(split, lambda row: row | ({"part": other} if row["utterance_id"] == first else {}))
    found = checked_split(moved, manifest)
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


def test_rows_of_another_manifest_are_counted_apart(manifest, in_memory, people_rows):
    split = make_split(manifest, "speaker")
    smaller = replace(in_memory(people_rows("emodb", 9, emotions=2)), digest="1" * 32)
    found = checked_split(split, smaller)
    assert (found.strangers, found.left_out, found.stale) == (4 + 12, 0, True)
    part = with_rows(split, lambda row: row if row["part"] == "test" else None)
    assert checked_split(part, manifest).left_out == 52 - part.table.num_rows


def test_folds_beyond_those_named_are_counted_all_the_same(manifest):
    odd = with_rows(make_split(manifest, "loco"), lambda row: row | {"fold": row["fold"] + 5})
    assert {share.side for share in checked_split(odd, manifest).shares} == {"5", "6"}
