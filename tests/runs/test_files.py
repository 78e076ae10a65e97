import ast
import json
from pathlib import Path

import pytest

import ser_pipeline
from ser_pipeline.errors import RunError
from ser_pipeline.runs.files import read_info, read_latency, read_scores, write_result
from ser_pipeline.runs.types import Latency, RunScores


@pytest.fixture
def run(tmp_path, rows, fake):
    return fake.run(tmp_path / "runs", "one", rows, "digest", epochs=2)


def change(run, value, *place):
    path = run / "scores.json"
    whole = json.loads(path.read_text())
    inner = whole
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    path.write_text(json.dumps(whole))


def test_scores_are_those_in_the_file(run):
    scores = read_scores(run, read_info(run))
    assert scores == RunScores.model_validate_json((run / "scores.json").read_bytes())


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
@pytest.mark.parametrize(
    "place",
    [
        ("parts", "test", "pooled", "uar", "value"),
        ("parts", "test", "pooled", "ece"),
        ("parts", "test", "pooled", "classes", 1, "recall"),
        ("parts", "validation", "macro_corpora", "uar"),
        ("parts", "test", "groups", 0, "accuracy"),
    ],
)
def test_number_that_is_none_is_named(run, place, value):
    change(run, value, *place)
    where = r"\.".join(map(str, place))
    pattern = (
        rf"one/scores\.json: {where}: the scores are not finite numbers; "
        r"score it again with 'ser evaluate .*one' or train it again$"
    )
    with pytest.raises(RunError, match=pattern):
        read_scores(run, read_info(run))


@pytest.mark.parametrize(
    "place", [("error_distance",), ("uar", "low"), ("accuracy", "high")], ids=lambda place: place[-1]
)
def test_numbers_that_may_be_absent_may_be_null(run, place):
    change(run, None, "parts", "test", "pooled", *place)
    assert "test" in read_scores(run, read_info(run)).parts


def test_file_of_another_form_is_of_another_version(run):
    (run / "scores.json").write_text('{"score": 1}')
    with pytest.raises(RunError, match="written by another version"):
        read_scores(run, read_info(run))


def test_file_that_the_disk_refuses_names_the_run(run):
    info = read_info(run)
    for name in ("settings.json", "scores.json"):
        (run / name).unlink()
        (run / name).mkdir()
    with pytest.raises(RunError, match=r"one/settings\.json: cannot be read \(Is a directory\)"):
        read_info(run)
    with pytest.raises(RunError, match=r"one/scores\.json: cannot be read \(Is a directory\)"):
        read_scores(run, info)


def test_missing_scores_name_the_command_that_makes_them(run):
    (run / "scores.json").unlink()
    with pytest.raises(RunError, match=r"scores\.json: not found; score it again with 'ser evaluate .*one'"):
        read_scores(run, read_info(run))


def test_latency_is_none_where_it_was_not_measured(run):
    assert read_latency(run) is None
    found = Latency(front_end_ms=1.5, network_ms=2.5, threads=1)
    write_result(run / "latency.json", found)
    assert read_latency(run) == found


def test_no_other_room_names_the_files_of_a_run():
    """Whoever reads or writes one goes through this room, which says once what is refused and how."""
    package = Path(ser_pipeline.__file__).parent
    names = {
        "settings.json",
        "scores.json",
        "predictions.parquet",
        "metrics.csv",
        "latency.json",
        "model.json",
    }
    names |= {"dimensions.parquet", "explanation.json", "attention.parquet", "embeddings.parquet"}
    found = {
        (path.relative_to(package).parts[0], node.value)
        for path in package.rglob("*.py")
        if any(name in (text := path.read_text(encoding="utf-8")) for name in names)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert found == {("runs", name) for name in names}
