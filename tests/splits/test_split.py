import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest import digest_file
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.schema import SPLIT_SCHEMA, write_table
from ser_pipeline.splits import (
    KINDS,
    load_split,
    make_split,
    read_split,
    split_names,
    split_path,
    write_split,
)
from ser_pipeline.splits.split import (
    PUBLISHED,
    Split,
    SplitRecipe,
    checked_name,
    checked_ratios,
    fold_rows,
    parse_ratios,
    part_rows,
    ratios_text,
)

IDS = pa.chunked_array([["a", "b", "c"]])


def split(**changes):
    made = Split(
        "mine", SplitRecipe("speaker"), part_rows(IDS, np.array([0, 2, 1])), (), False, "A note.", "abc"
    )
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
        (SplitRecipe("speaker"), "speaker", "ser manifest split speaker"),
        (SplitRecipe("kfold", 3, folds=10), "kfold", "ser manifest split kfold --seed 3 --folds 10"),
        (
            SplitRecipe("stratified", ratios=(80.0, 0.0, 20.0)),
            "s80",
            "ser manifest split stratified --ratios 80/0/20 --as s80",
        ),
        (SplitRecipe(PUBLISHED), "folds", "ser manifest split folds --from FILE"),
    ],
)
def test_a_split_knows_the_command_that_makes_it_again(recipe, name, command):
    assert split(name=name, recipe=recipe).command(Path("manifests/manifest.parquet")) == command


def test_facts_make_the_same_split_again():
    made = split(
        recipe=SplitRecipe("kfold", 5, (70.0, 10.0, 20.0), 3), folds=("x", "y", "z"), leaks_speakers=True
    )
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
    ("text", "whole"), [("60/20/30", "110"), ("60/20/10", "90"), ("3/1/1", "5"), ("0.6/0.2/0.3", "1.1")]
)
def test_ratios_that_do_not_add_up(text, whole):
    with pytest.raises(SplitError, match=f"ratios '{text}' add up to {whole}; they are shares of 100"):
        parse_ratios(text)
    assert parse_ratios("66.7/16.7/16.7") == (66.7, 16.7, 16.7)


@pytest.mark.parametrize(
    "ratios", [(0, 50, 50), (100, 0, 0), (-1, 50, 50), (60, float("nan"), 20), (60, float("inf"), 20)]
)
def test_ratios_that_leave_nothing_to_learn_or_to_judge(ratios):
    with pytest.raises(SplitError, match="do not fit; training and one other part need a share above 0"):
        checked_ratios(ratios)


@pytest.fixture
def manifest(manifest_of, people_rows):
    return manifest_of([*people_rows("emodb", 5, language="de"), *people_rows("nemo", 5, language="pl")])


@pytest.fixture
def folder(manifest):
    return manifest.path.parent


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_split_is_read_as_it_was_made(manifest, folder, kind):
    split = make_split(manifest, kind, seed=3)
    path = write_split(folder, split)
    assert path == folder / "splits" / f"{kind}.parquet" == split_path(folder, kind)
    again = read_split(folder, kind, manifest)
    assert again == split
    assert again.digest == digest_file(path)


def test_the_file_is_plain_parquet_that_describes_itself(manifest, folder):
    path = write_split(folder, make_split(manifest, "loco"))
    assert pq.read_table(path).column_names == ["utterance_id", "part", "fold"]
    text = pq.read_metadata(path).metadata[b"ser"].decode()
    for word in ('"name": "loco"', '"folds": ["emodb", "nemo"]', '"leaks_speakers": false', manifest.digest):
        assert word in text


def test_names_leave_out_what_is_not_finished(manifest, folder):
    for kind in ("speaker", "loso"):
        write_split(folder, make_split(manifest, kind))
    (folder / "splits" / ".x.parquet.1-2.partial").touch()
    (folder / "splits" / ".x.parquet").touch()
    assert split_names(folder) == ["loso", "speaker"]
    assert split_names(folder / "nowhere") == []


def test_a_missing_split_names_its_command_and_what_is_there(manifest, folder):
    with pytest.raises(
        SplitError, match=r"kfold.parquet: not found; make it with 'ser manifest split kfold --manifests "
    ):
        read_split(folder, "kfold", manifest)
    write_split(folder, make_split(manifest, "speaker"))
    with pytest.raises(
        SplitError,
        match="not found; there are speaker; make it with 'ser manifest split kfold --manifests ",
    ):
        read_split(folder, "kfold", manifest)
    with pytest.raises(
        SplitError,
        match=r"published parts are read with .* split mine --manifests .* --from FILE'",
    ):
        read_split(folder, "mine", manifest)


def test_a_name_cannot_lead_elsewhere(manifest, folder):
    with pytest.raises(SplitError, match="cannot name a split"):
        read_split(folder, "../../etc/passwd", manifest)


def test_a_split_for_another_manifest(manifest, folder, manifest_of, people_rows):
    write_split(folder, make_split(manifest, "kfold", folds=3, seed=2))
    other = manifest_of(people_rows("emodb", 6))
    with pytest.raises(
        SplitError,
        match=r"kfold.parquet: was not made for the manifest .*manifest.parquet; "
        "make it again with 'ser manifest split kfold --seed 2 --folds 3 --manifests ",
    ):
        read_split(folder, "kfold", other)


def test_a_damaged_split(manifest, folder):
    path = write_split(folder, make_split(manifest, "speaker"))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SplitError, match=r"speaker.parquet: cannot be read .* split speaker --manifests "):
        load_split(path)


def test_metadata_that_describes_no_split(manifest, folder):
    path = split_path(folder, "speaker")
    write_table(SPLIT_SCHEMA.empty_table(), {"name": "speaker"}, path)
    with pytest.raises(
        SplitError,
        match="its metadata does not describe a split; run 'ser manifest split speaker --manifests ",
    ):
        load_split(path)


def test_a_renamed_file(manifest, folder):
    path = write_split(folder, make_split(manifest, "speaker"))
    path = path.rename(path.with_name("mine.parquet"))
    with pytest.raises(SplitError, match=r"mine.parquet: contains the split 'speaker'"):
        load_split(path)


def tampered(split, **columns):
    """The split with some columns exchanged, as somebody might do by hand."""
    table = split.table
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, table.schema.field(name), pa.array(values, table.schema.field(name).type)
        )
    return dataclasses.replace(split, table=table)


def test_a_speaker_moved_by_hand_is_found_on_reading(manifest, folder):
    split = make_split(manifest, "speaker")
    parts = split.table["part"].to_pylist()
    parts[0] = "test" if parts[0] == "train" else "train"
    write_split(folder, tampered(split, part=parts))
    with pytest.raises(SplitError, match=r"speaker.parquet: speakers are in more than one part: emodb-000"):
        read_split(folder, "speaker", manifest)


def test_a_speaker_in_two_folds_is_found_on_reading(manifest, folder):
    split = make_split(manifest, "kfold")
    folds = split.table["fold"].to_pylist()
    folds[0] = (folds[0] + 1) % 5
    write_split(folder, tampered(split, fold=folds))
    with pytest.raises(SplitError, match=r"kfold.parquet: speakers are in more than one part: emodb-000"):
        read_split(folder, "kfold", manifest)


def test_the_same_audio_on_both_sides_is_found_on_reading(manifest_of, people_rows):
    rows = people_rows("emodb", 5)
    for row in rows:
        row["audio_digest"] = "f" * 32
    manifest = manifest_of(rows)
    write_split(manifest.path.parent, make_split(manifest, "speaker"))
    with pytest.raises(SplitError, match="the same audio is in more than one part: ffff"):
        read_split(manifest.path.parent, "speaker", manifest)


def test_parts_of_another_name(manifest, folder):
    split = make_split(manifest, "speaker")
    write_split(folder, tampered(split, part=["dev"] * split.table.num_rows))
    with pytest.raises(SplitError, match="has parts other than train, validation, test"):
        read_split(folder, "speaker", manifest)


@pytest.mark.parametrize("fold", [5, -2, None])
def test_folds_that_do_not_exist(manifest, folder, fold):
    split = make_split(manifest, "kfold")
    write_split(folder, tampered(split, fold=[fold] * split.table.num_rows))
    with pytest.raises(SplitError, match="has folds beyond its 5"):
        read_split(folder, "kfold", manifest)


def test_folds_in_a_split_without_them(manifest, folder):
    split = make_split(manifest, "speaker")
    write_split(folder, tampered(split, fold=[0] * split.table.num_rows))
    with pytest.raises(SplitError, match="has folds beyond its 0"):
        read_split(folder, "speaker", manifest)


def test_lost_rows(manifest, folder):
    split = make_split(manifest, "speaker")
    write_split(folder, dataclasses.replace(split, table=split.table.slice(1)))
    with pytest.raises(
        SplitError, match="has 79 of 80 recordings; run 'ser manifest split speaker --manifests "
    ):
        read_split(folder, "speaker", manifest)


def test_a_published_split_may_leave_recordings_out(manifest, folder):
    ids = manifest.table["utterance_id"].slice(0, 16)
    split = make_split(manifest, "loco")
    split = dataclasses.replace(
        split,
        name="own",
        recipe=SplitRecipe(PUBLISHED),
        table=fold_rows(ids, np.repeat([0, 1], 8)),
        folds=("x", "y"),
    )
    write_split(folder, split)
    assert read_split(folder, "own", manifest).table.num_rows == 16
