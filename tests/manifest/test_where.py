import numpy as np
import pytest

from ser_pipeline.errors import ManifestError, SettingsError
from ser_pipeline.manifest.where import chosen_by, manifest_where

ROWS = [
    {"agreement": 0.9, "emotion_id": 0, "age": 30, "votes": [(0, 9), (3, 1)]},
    {"agreement": 0.6, "emotion_id": 3, "gender": "male"},
    {"agreement": 0.5, "emotion_id": -1, "age": 40},
    {"emotion_id": 0, "valence": 0.5},
]


def held(in_memory, condition):
    return chosen_by(in_memory(ROWS).table, condition).rows.tolist()


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("agreement >= 0.6", [True, True, False, False]),
        ("AGREEMENT = 0.6", [False, True, False, False]),
        ("emotion = 'anger' and agreement > 0.5", [True, False, False, False]),
        ("emotion in ('sadness', 'other')", [False, True, True, False]),
        ("agreement is null or age > 35", [False, False, True, True]),
        ("votes[0] > 5", [True, False, False, False]),
        ("\"gender\" like 'm%' -- men", [False, True, False, False]),
        ("age between 20 and 50 and not emotion_id = 0", [False, False, True, False]),
        (" ", [True] * 4),
    ],
)
def test_rows_for_which_a_condition_holds(in_memory, condition, rows):
    assert held(in_memory, condition) == rows


def test_rows_without_a_value_are_left_out_and_counted(in_memory):
    table = in_memory(ROWS).table
    assert chosen_by(table, "agreement >= 0.6").left_out == "1 recording has no agreement and is left out"
    either = chosen_by(table, "agreement > 0.8 or valence > 0")
    assert either.rows.tolist() == [True, False, False, True]
    assert either.left_out == "2 recordings have no valence and are left out"
    assert chosen_by(table, "agreement > 0.8 and valence > 0").lacking == ("agreement", "valence")
    first = np.array([True, False, False, False])
    assert chosen_by(table, "agreement >= 0.6").among(first).left_out == ""
    assert chosen_by(table, "emotion = 'anger'").left_out == ""


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("agrement > 0.5", r"there is no column 'agrement' \(did you mean 'agreement'\?\); valid are utt"),
        ('emotion = "anger"', "no column 'anger'.*; text is written in single quotes, as in emotion = '"),
        ("agreement >", "syntax error"),
        ("agreement > 0.5) from manifest; drop table manifest --", "syntax error"),
        ("true; copy manifest to 'x.csv'", "more than one statement"),
        ("true, false", "single expression"),
        ("copy manifest to 'x.csv'", "syntax error"),
        ("path in (select content from read_text('/etc/hosts'))", "found a query inside it"),
        ("read_text('/etc/hosts') is not null", "table function"),
        ("agreement > avg(agreement) over ()", "found a function over several recordings"),
        ("agreement > avg(agreement)", r"on one recording alone; avg\(\) covers several"),
        ("random() > 0.5", r"random\(\) gives another value each time"),
        ("now() > '2020-01-01'", r"now\(\) gives another value each time"),
        ("duration_s", "gives DOUBLE, not a condition; write one as in agreement >= 0.6"),
        ("language > 3", "VARCHAR"),
        ("path::int > 3", "Could not convert"),
        ("loud(path)", "loud does not exist"),
        ("*", r"found '\*'"),
        ("age > ?", "found a parameter"),
    ],
)
def test_what_is_no_condition_on_one_recording_is_refused(in_memory, condition, reason):
    with pytest.raises(SettingsError, match=f"(?s)^--where .*{reason}"):
        chosen_by(in_memory(ROWS).table, condition)


def test_a_manifest_of_some_recordings_is_the_same_manifest(manifest_of):
    manifest = manifest_of(ROWS)
    some, left_out = manifest_where(manifest, "agreement >= 0.6")
    assert some.table["agreement"].to_pylist() == pytest.approx([0.9, 0.6])
    assert (some.digest, some.path) == (manifest.digest, manifest.path)
    assert left_out == "1 recording has no agreement and is left out"


def test_a_condition_that_holds_for_none_is_said(manifest_of):
    with pytest.raises(
        ManifestError,
        match=r'^--where "agreement > 1" holds for none of 4 recordings; 1 recording has no agreement',
    ):
        manifest_where(manifest_of(ROWS), "agreement > 1")
