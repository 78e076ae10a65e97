import pytest

from ser_pipeline.splits import make_split
from ser_pipeline.splits.folds import split_shares


@pytest.fixture
def manifest(in_memory, people_rows):
    return in_memory([*people_rows("emodb", 10, emotions=2), *people_rows("nemo", 3, emotions=2)])


def test_one_corpus_in_closed_form(in_memory, people_rows):
    manifest = in_memory(people_rows("emodb", 10, emotions=2))
    shares = split_shares(make_split(manifest, "speaker"), manifest)
    assert shares.columns == (
        "corpus", "part", "clips", "share", "speakers", "female", "male", "anger", "happiness",
    )  # fmt: skip
    assert shares.rows == (
        ("emodb", "train", 24, 0.6, 6, 3, 3, 12, 12),
        ("emodb", "validation", 8, 0.2, 2, 1, 1, 4, 4),
        ("emodb", "test", 8, 0.2, 2, 1, 1, 4, 4),
    )


@pytest.mark.parametrize("kind", ["speaker", "stratified", "kfold", "loso", "loco"])
def test_rows_add_up_to_the_manifest(manifest, kind):
    split = make_split(manifest, kind)
    shares = split_shares(split, manifest)
    place = {name: number for number, name in enumerate(shares.columns)}
    for corpus, clips in (("all", 52), ("emodb", 40), ("nemo", 12)):
        rows = [row for row in shares.rows if row[0] == corpus]
        assert sum(row[place["clips"]] for row in rows) == clips
        assert sum(row[place["share"]] for row in rows) == pytest.approx(1, abs=0.01)
        for row in rows:
            assert row[place["anger"]] + row[place["happiness"]] == row[place["clips"]]
            assert row[place["female"]] + row[place["male"]] == row[place["speakers"]]
    sides = {row[1] for row in shares.rows}
    assert sides == set(split.folds or ("train", "validation", "test"))


def test_folds_that_hold_nothing_of_a_corpus_have_no_row(manifest):
    shares = split_shares(make_split(manifest, "loco"), manifest)
    assert [row[:3] for row in shares.rows] == [
        ("all", "emodb", 40), ("all", "nemo", 12), ("emodb", "emodb", 40), ("nemo", "nemo", 12),
    ]  # fmt: skip
