import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.schema import SPLIT_SCHEMA
from ser_pipeline.manifest.split import (
    PUBLISHED,
    Recipe,
    Split,
    checked_name,
    checked_ratios,
    fold_rows,
    parse_ratios,
    part_rows,
    ratios_text,
)

IDS = pa.chunked_array([["a", "b", "c"]])


def split(**changes):
    made = Split("mine", Recipe("speaker"), part_rows(IDS, np.array([0, 2, 1])), (), False, "A note.", "abc")
    return dataclasses.replace(made, **changes)


def test_rows_with_parts():
    table = part_rows(IDS, np.array([0, 2, 1]))
    assert table.schema == SPLIT_SCHEMA
    assert table.to_pydict() == {
        "utterance_id": ["a", "b", "c"],
        "part": ["train", "test", "validation"],
        "fold": [None] * 3,
    }


def test_rows_with_folds_are_tested_in_them():
    table = fold_rows(IDS, np.array([4, 0, 4]))
    assert table.schema == SPLIT_SCHEMA
    assert table["part"].to_pylist() == ["test"] * 3
    assert table["fold"].to_pylist() == [4, 0, 4]


@pytest.mark.parametrize(
    ("recipe", "name", "command"),
    [
        (Recipe("speaker"), "speaker", "ser manifest split speaker"),
        (Recipe("kfold", 3, folds=10), "kfold", "ser manifest split kfold --seed 3 --folds 10"),
        (
            Recipe("stratified", ratios=(80.0, 0.0, 20.0)),
            "s80",
            "ser manifest split stratified --ratios 80/0/20 --as s80",
        ),
        (Recipe(PUBLISHED), "folds", "ser manifest split folds --from FILE"),
    ],
)
def test_a_split_knows_the_command_that_makes_it_again(recipe, name, command):
    assert split(name=name, recipe=recipe).command == command


def test_facts_make_the_same_split_again():
    made = split(recipe=Recipe("kfold", 5, (70.0, 10.0, 20.0), 3), folds=("x", "y", "z"), leaks_speakers=True)
    assert Split.from_facts(made.table, made.facts, "d") == dataclasses.replace(made, digest="d")


@pytest.mark.parametrize(
    "missing", ["name", "ratios", "seed", "folds", "manifest_digest", "note", "k", "kind"]
)
def test_a_missing_fact_is_an_error(missing):
    facts = split().facts
    del facts[missing]
    with pytest.raises(KeyError, match=missing):
        Split.from_facts(split().table, facts, "d")


def test_the_digest_is_that_of_the_bytes():
    sealed = split().sealed()
    assert sealed.digest == digest_bytes(split().to_bytes())
    assert sealed.to_bytes() == split().to_bytes()
    assert split(note="Another.").sealed().digest != sealed.digest


@pytest.mark.parametrize("name", ["a", "kfold", "my-folds_2.b", "5fold"])
def test_names(name):
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "A", "a b", "-x", "ä", "a\n"])
def test_names_that_are_no_file_names(name):
    with pytest.raises(SplitError, match="cannot name a split; use a-z"):
        checked_name(name)


@pytest.mark.parametrize("text", ["60/20/20", "80/0/20", "0.5/0.25/0.25"])
def test_ratios_are_written_as_they_are_read(text):
    assert ratios_text(parse_ratios(text)) == text


@pytest.mark.parametrize("text", ["", "60", "60/40", "60/20/20/0", "a/b/c", "60-20-20"])
def test_ratios_that_are_not_three_numbers(text):
    with pytest.raises(
        SplitError, match="are not three numbers; write train/validation/test, as in '60/20/20'"
    ):
        parse_ratios(text)


@pytest.mark.parametrize(
    "ratios", [(0, 50, 50), (100, 0, 0), (-1, 50, 50), (60, float("nan"), 20), (60, float("inf"), 20)]
)
def test_ratios_that_leave_nothing_to_learn_or_to_judge(ratios):
    with pytest.raises(SplitError, match="do not fit; training and one other part need a share above 0"):
        checked_ratios(ratios)
