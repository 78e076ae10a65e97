import json

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.explanation import EXPLANATION, Explanation, read_explanation


def facts(**changes):
    """An explanation of one feature, one group and two emotions, as JSON holds it."""
    drop = {"name": "a", "drop": {"value": 0.1, "low": 0.0, "high": 0.2}, "spread": 0.01}
    table = {
        "language": None, "clips": 9, "speakers": 3, "values": [[0.5, None]], "low": [[0.1, None]],
        "high": [[0.9, None]],
    }  # fmt: skip
    return {
        "schema_version": 1, "part": "test", "clips": 9, "speakers": 3, "seed": 0, "repeats": 2,
        "emotions": ["anger", "neutral"], "features": [{"name": "a", "unit": "Hz", "group": "g"}],
        "groups": ["g"], "uar": {"value": 0.7}, "importances": [drop], "group_importances": [drop],
        "effects": [table], "languages": [], "group_correlations": [[1.0]], "closest": [], "profiles": [],
        "summary": {"agrees": 0, "opposes": 0, "unclear": 0, "chance": 1.0}, "importance_interval": "",
        "effect_interval": "", "notes": [],
    } | changes  # fmt: skip


def written(folder, **changes):
    (folder / EXPLANATION).write_text(json.dumps(facts(**changes)))
    return folder


def test_what_is_written_is_read(tmp_path):
    found = read_explanation(written(tmp_path))
    assert found == Explanation(**facts())
    assert found.effects[0].values == ((0.5, None),)


def test_a_run_that_was_not_explained_has_none(tmp_path):
    assert read_explanation(tmp_path) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version: Input should be 1; .* explain it again with 'ser explain"),
        ({"uar": {"value": None}}, r"uar.value: Input should be a valid number; .* explain it again"),
        ({"uar": {"value": float("nan")}}, "uar.value: Input should be a finite number"),
        ({"odd": 1}, "odd: Extra inputs are not permitted"),
        ({"emotions": ["anger"]}, "its tables are not of the features and emotions it lists"),
        ({"importances": []}, "its tables are not of the features and emotions it lists"),
        ({"groups": ["g", "h"]}, "its tables are not of the features and emotions it lists"),
        ({"effects": []}, "its tables are not of the features and emotions it lists"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, changes, message):
    with pytest.raises(RunError, match=message):
        read_explanation(written(tmp_path, **changes))


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / EXPLANATION).mkdir()
    with pytest.raises(RunError, match="cannot be read"):
        read_explanation(tmp_path)
