import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest import (
    KINDS,
    digest_file,
    load_split,
    make_split,
    read_split,
    split_names,
    split_path,
    write_split,
)
from ser_pipeline.manifest.schema import SPLIT_SCHEMA
from ser_pipeline.manifest.split import PUBLISHED, Recipe, fold_rows
from ser_pipeline.manifest.tables import write_table


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
        SplitError, match=r"kfold.parquet: not found; make it with 'ser manifest split kfold'"
    ):
        read_split(folder, "kfold", manifest)
    write_split(folder, make_split(manifest, "speaker"))
    with pytest.raises(
        SplitError, match="not found; there are speaker; make it with 'ser manifest split kfold'"
    ):
        read_split(folder, "kfold", manifest)


def test_a_name_cannot_lead_elsewhere(manifest, folder):
    with pytest.raises(SplitError, match="cannot name a split"):
        read_split(folder, "../../etc/passwd", manifest)


def test_a_split_for_another_manifest(manifest, folder, manifest_of, people_rows):
    write_split(folder, make_split(manifest, "kfold", folds=3, seed=2))
    other = manifest_of(people_rows("emodb", 6))
    with pytest.raises(
        SplitError,
        match=r"kfold.parquet: was made for another manifest than .*manifest.parquet; "
        "make it again with 'ser manifest split kfold --seed 2 --folds 3'",
    ):
        read_split(folder, "kfold", other)


def test_a_damaged_split(manifest, folder):
    path = write_split(folder, make_split(manifest, "speaker"))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SplitError, match=r"speaker.parquet: cannot be read .* 'ser manifest split speaker'"):
        load_split(path)


def test_metadata_that_describes_no_split(manifest, folder):
    path = split_path(folder, "speaker")
    write_table(SPLIT_SCHEMA.empty_table(), {"name": "speaker"}, path)
    with pytest.raises(
        SplitError, match="its metadata does not describe a split; run 'ser manifest split speaker'"
    ):
        load_split(path)


def test_a_renamed_file(manifest, folder):
    path = write_split(folder, make_split(manifest, "speaker"))
    path = path.rename(path.with_name("mine.parquet"))
    with pytest.raises(SplitError, match=r"mine.parquet: holds the split 'speaker'"):
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
    with pytest.raises(SplitError, match=r"speaker.parquet: speakers stand in more than one part: emodb-000"):
        read_split(folder, "speaker", manifest)


def test_a_speaker_in_two_folds_is_found_on_reading(manifest, folder):
    split = make_split(manifest, "kfold")
    folds = split.table["fold"].to_pylist()
    folds[0] = (folds[0] + 1) % 5
    write_split(folder, tampered(split, fold=folds))
    with pytest.raises(SplitError, match=r"kfold.parquet: speakers stand in more than one part: emodb-000"):
        read_split(folder, "kfold", manifest)


def test_the_same_audio_on_both_sides_is_found_on_reading(manifest_of, people_rows):
    rows = people_rows("emodb", 5)
    for row in rows:
        row["audio_digest"] = "f" * 32
    manifest = manifest_of(rows)
    write_split(manifest.path.parent, make_split(manifest, "speaker"))
    with pytest.raises(SplitError, match="the same audio stands in more than one part: ffff"):
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
    with pytest.raises(SplitError, match="has 79 of 80 recordings; run 'ser manifest split speaker'"):
        read_split(folder, "speaker", manifest)


def test_a_published_split_may_leave_recordings_out(manifest, folder):
    ids = manifest.table["utterance_id"].slice(0, 16)
    split = make_split(manifest, "loco")
    split = dataclasses.replace(
        split,
        name="own",
        recipe=Recipe(PUBLISHED),
        table=fold_rows(ids, np.repeat([0, 1], 8)),
        folds=("x", "y"),
    )
    write_split(folder, split)
    assert read_split(folder, "own", manifest).table.num_rows == 16
