import re

import pyarrow as pa
import pytest

from ser_pipeline.api import build_manifest, validate_manifest
from ser_pipeline.manifest import read_manifest
from ser_pipeline.manifest.read import MANIFEST_NAME, REJECTS_NAME
from ser_pipeline.manifest.schema import REJECT_SCHEMA, write_table
from ser_pipeline.manifest.validate import SHOWN, Problems, check_rows
from ser_pipeline.splits import make_split, write_split


@pytest.fixture
def built(data, tmp_path):
    build_manifest(data, tmp_path / "manifests")
    return tmp_path / "manifests"


def test_a_fresh_manifest_has_no_problem(built, data):
    for kind in ("stratified", "loso", "kfold", "loco"):
        write_split(built, make_split(read_manifest(built), kind))
    manifest, found = validate_manifest(built, data=data, jobs=2)
    assert (found.count, found.examples) == (0, [])
    assert manifest.table.num_rows == 36


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            {"utterance_id": "emodb/clip00000", "path": "x.wav"},
            "utterance_id 'emodb/clip00000' occurs in an earlier row, too",
        ),
        ({"path": "emodb/clip00000.wav"}, "path 'emodb/clip00000.wav' occurs in an earlier row, too"),
        ({"audio_digest": "0" * 32}, "audio_digest '0+' occurs in an earlier row, too"),
        ({"audio_digest": "F" * 32}, "is not a digest of 32 hexadecimal digits"),
        ({"audio_digest": "ab"}, "is not a digest of 32 hexadecimal digits"),
        ({"utterance_id": "nemo/x"}, "utterance_id 'nemo/x' does not begin with its corpus"),
        ({"utterance_id": "emodbx/x"}, "does not begin with its corpus"),
        ({"path": "a/../../b"}, "leads out of the data folder"),
        ({"path": "C:/a.wav"}, "leads out of the data folder"),
        ({"speaker_id": ""}, "speaker_id '' is empty"),
        ({"language": ""}, "language '' is empty"),
        ({"gender": "other"}, "gender 'other' is none of female, male, unknown"),
        ({"intensity": "loud"}, "intensity 'loud' is none of unspecified, low, normal, high"),
        ({"modality": "noise"}, "modality 'noise' is none of speech, song"),
        ({"style": "read"}, "style 'read' is none of acted, elicited, conversational, unknown"),
        ({"emotion_id": 12}, "emotion_id 12 is not between -1 and 11"),
        ({"emotion_id": -2}, "emotion_id -2 is not between -1 and 11"),
        ({"duration_s": 0.01}, "duration_s 0.01 is not between 0.1 and 86400"),
        ({"duration_s": float("nan")}, "duration_s nan is not between"),
        ({"duration_s": float("inf")}, "duration_s inf is not between"),
        ({"sample_rate": 0}, "sample_rate 0 is not between 1000 and 1e[+]06"),
        ({"channels": 0}, "channels 0 is not between 1 and 1024"),
        ({"age": 0}, "age 0 is not between 1 and 130"),
        ({"valence": -1.5}, "valence -1.5 is not between -1 and 1"),
        ({"agreement": float("nan")}, "agreement nan is not between 0 and 1"),
        ({"naturalness": 2.0}, "naturalness 2.0 is not between 0 and 1"),
        ({"votes": [(12, 1)]}, "votes: 1 entry whose emotion id is not between -1 and 11"),
        ({"votes": [(0, 0), (1, -1)]}, "votes: 2 entries whose count is not between 1 and 32767"),
    ],
)
def test_every_rule(in_memory, row, problem):
    table = in_memory([{}, row, {"speaker_id": "emodb-2"}]).table
    found = check_rows(table)
    expected = 2 if "2 entries" in problem else 1
    assert found.count in (1, expected)
    assert re.search(problem, found.examples[0])


def test_rows_that_are_right(in_memory):
    rows = [{"age": 30, "votes": [(-1, 1), (11, 2)], "valence": -1.0, "agreement": 1.0}, {"duration_s": 0.1}]
    assert check_rows(in_memory(rows).table) == Problems()
    assert check_rows(in_memory([]).table) == Problems()


def test_all_problems_are_counted_and_ten_are_shown(in_memory):
    found = check_rows(in_memory([{"gender": "odd", "style": "odd"}] * 20).table)
    assert found.count == 40
    assert len(found.examples) == SHOWN == 10


def test_recordings_that_are_gone_or_changed(built, data, record):
    (data / "EmoDB/wav/03a01Fa.wav").unlink()
    record(data / "EmoDB/wav/03a01Wa.wav", seed=77, seconds=0.5)
    _, found = validate_manifest(built, data=data)
    assert found.count == 2
    assert found.examples[0].endswith(f"path 'EmoDB/wav/03a01Fa.wav' is missing below {data}")
    assert found.examples[1].endswith(
        "path 'EmoDB/wav/03a01Wa.wav' has changed since; run 'ser manifest build'"
    )
    assert validate_manifest(built, data=None)[1].count == 0


def test_a_data_folder_that_is_gone(built, tmp_path):
    _, found = validate_manifest(built, data=tmp_path / "none")
    assert found.count == 1
    assert "none: no such folder, so no recording was checked; pass --data or --no-audio" in found.examples[0]


def test_a_split_that_does_not_fit_is_a_problem(built, data, record):
    write_split(built, make_split(read_manifest(built), "loso"))
    record(data / "EmoDB/wav/11a01Wa.wav", seed=78)
    build_manifest(data, built)
    _, found = validate_manifest(built, data=data)
    assert found.count == 1
    assert "loso.parquet: was not made for the manifest" in found.examples[0]


def test_counts_that_do_not_agree(built):
    rejects = pa.Table.from_pylist([{"corpus": "emodb", "path": "x", "reason": "y"}], REJECT_SCHEMA)
    write_table(rejects, {}, built / REJECTS_NAME)
    _, found = validate_manifest(built, data=None)
    assert "says 0 rejects, rejects.parquet has 1; run 'ser manifest build'" in found.examples[0]
    (built / REJECTS_NAME).unlink()
    _, found = validate_manifest(built, data=None)
    assert "rejects.parquet: not found" in found.examples[0]


def test_a_manifest_with_other_rows_than_it_says(built):
    manifest = read_manifest(built)
    write_table(manifest.table.slice(1), {"counts": {"rows": 36, "rejects": 0}}, built / MANIFEST_NAME)
    _, found = validate_manifest(built, data=None)
    assert "says 36 rows and has 35" in found.examples[0]
