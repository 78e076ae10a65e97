import csv
import errno
import io
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.runs.folder import held
from tests.report.conftest import (
    digest_of,
    manifest_rows,
    no_drawings,
    untested,
    write_manifest,
    write_manifests,
    write_run,
)
from tests.serving.conftest import save_random

__all__ = ["no_drawings"]


@pytest.fixture
def ser(tmp_path, monkeypatch):
    """Run a command of ``ser`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def put(tmp_path):
    """Write a run that began so many hours ago by a clock that is so many hours ahead of UTC."""
    rows = manifest_rows()

    def put(name, hours=1, offset=0, *, rows=rows, **changes):
        moment = datetime.now(timezone(timedelta(hours=offset))) - timedelta(hours=hours)
        return write_run(
            tmp_path / "runs", name, rows, "d",
            epochs=1, **{"created": moment.isoformat(timespec="seconds"), **changes},
        )  # fmt: skip

    return put


def split_info(**changes):
    return {"name": "speaker", "digest": "d", "leaks_speakers": False, "note": "", **changes}


def listed(result):
    return json.loads(result.stdout)


def cells(result):
    """What stands in each row of a table on the screen, but for its head."""
    lines = [re.split(r"  +", line.strip()) for line in result.stdout.splitlines()]
    return [line for line in lines if len(line) >= 7 and line[0] != "name" and line[0][0].isalpha()]


def test_runs_are_listed_the_newest_first(ser, put):
    put("older", hours=3, offset=9)
    put("newest", hours=1, offset=-8, recipe={"train": {"seed": 7}})
    put("unknown", created="yesterday")
    for words in (["runs"], ["runs", "list"]):
        rows = cells(ser(*words))
        assert [row[0] for row in rows] == ["newest", "older", "unknown"]
    shown = rows[0]
    rows = listed(ser("runs", "--format", "json"))
    uar, low, high = (rows[0][name] for name in ("uar", "uar_low", "uar_high"))
    assert shown[:6] == ["newest", "crnn", "4class", "speaker", "7", f"{uar:.3f} ({low:.3f} to {high:.3f})"]
    assert shown[6:] == ["1 h", "8.5 MiB"]
    assert rows[2]["age_s"] is None


def test_programs_get_numbers(ser, put):
    folder = put("a", synthetic=True)
    result = ser("runs", "list", "--format", "json")
    (row,) = listed(result)
    uar = json.loads((folder / "scores.json").read_text())["parts"]["test"]["pooled"]["uar"]
    assert [row["uar"], row["uar_low"], row["uar_high"]] == [uar["value"], uar["low"], uar["high"]]
    assert row["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    assert 3600 <= row["age_s"] < 4000
    assert (row["state"], row["synthetic"], row["fold"], row["seed"]) == ("scored", True, None, 0)
    assert result.stderr.splitlines() == [
        "trained on synthetic voices, so their scores say nothing about real speech: all of them"
    ]
    (line,) = csv.DictReader(io.StringIO(ser("runs", "--format", "csv").stdout))
    assert float(line["uar"]) == uar["value"]
    assert list(line) == list(row)


def test_the_list_says_what_a_score_is_worth(ser, put):
    put("leaky", hours=1, split=split_info(name="stratified", leaks_speakers=True))
    put("pooled", hours=2, split=split_info(name="loso", fold="all"))
    put("one", hours=3, split=split_info(name="loso", fold="3"))
    put("going", hours=4, stopped=None)
    put("bare", hours=5, finished=False)
    put("untested", hours=6, part_of=lambda row: "train")
    rows = {row[0]: row for row in cells(ser("runs"))}
    assert [rows[name][3] for name in ("leaky", "pooled", "one")] == [
        "stratified (leaks speakers)", "loso, all folds", "loso, fold 3",
    ]  # fmt: skip
    scores = {name: rows[name][5] for name in ("going", "bare", "untested")}
    assert scores == {"going": "not finished", "bare": "not scored", "untested": "no test clips"}


def test_scores_without_clips_of_an_emotion_are_not_said_to_be_of_all(ser, put):
    put("part", rows=untested(manifest_rows(), "neutral", "sadness"))
    put("whole", rows=manifest_rows(takes=6))
    assert "so their UAR covers only the others: part" in ser("runs").stderr
    said = " ".join(ser("runs", "show", "part").stderr.split())
    assert "test: of 100 clips of anger and happiness alone, " in said
    assert "guessing would recognise 50; there are no test clips of neutral or sadness, and few of " in said
    said = " ".join(ser("runs", "show", "whole").stderr.split())
    assert "of 100 clips of each emotion" in said
    assert "there are" not in said


def test_runs_that_cannot_be_read_are_named_in_one_line_each(ser, put, tmp_path):
    for name in ("good", "cut", "folder", "scores"):
        put(name)
    runs = tmp_path / "runs"
    (runs / "cut" / "settings.json").write_text("{")
    (runs / "folder" / "settings.json").unlink()
    (runs / "folder" / "settings.json").mkdir()
    (runs / "scores" / "scores.json").write_text("{")
    result = ser("runs", "--format", "json")
    assert {row["name"]: row["state"] for row in listed(result)} == {
        "good": "scored",
        "scores": "scores not readable",
    }
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("run cut could not be read: runs/cut/settings.json: ")
    assert lines[1].startswith("run folder could not be read: runs/folder/settings.json: cannot be read")
    assert lines[2].startswith("scores of run scores could not be read: runs/scores/scores.json: ")


def test_no_runs_name_the_command_that_makes_one(ser):
    result = ser("runs")
    assert result.stderr.splitlines() == ["runs: contains no runs", "next: ser train"]
    assert listed(ser("runs", "--format", "json")) == []


def test_a_run_is_shown_with_settings_scores_and_files(ser, put):
    put("old", hours=9)
    put("a", recipe={"train": {"seed": 7}})
    result = ser("runs", "show")
    for word in ("recipe.train.seed", "counts.test", "macro-F1", "metrics.csv"):
        assert word in result.stdout
    assert "settings of runs/a" in result.stdout
    assert "8.5 MiB" in result.stdout
    assert "recipe.features" not in result.stdout  # have no effect on a model of mels
    whole = listed(ser("runs", "show", "runs/old", "--format", "json"))
    assert whole["settings"]["name"] == "old"
    assert set(whole["scores"]["parts"]) == {"train", "validation", "test"}
    assert whole["files"]["model.safetensors"] == 8_910_000
    rows = list(csv.DictReader(io.StringIO(ser("runs", "show", "a", "--format", "csv").stdout)))
    values = {(row["about"], row["name"]): row["value"] for row in rows}
    assert values["settings", "recipe.train.seed"] == "7"
    assert values["files", "model.safetensors"] == "8910000"
    assert float(values["scores", "test.uar_low"]) < float(values["scores", "test.uar"])


@pytest.mark.parametrize(
    ("recipe", "shown", "not_shown"),
    [
        ({"model": {"name": "crnn"}}, "front_end", ("features", "embeddings", "layers", "augment", "on")),
        ({"model": {"name": "svm"}}, "features", ("front_end", "embeddings", "layers", "more_encoders")),
        (
            {"model": {"name": "svm"}, "on": "embeddings"},
            "embeddings",
            ("front_end", "features", "feature_set"),
        ),
        ({"model": {"name": "svm"}, "feature_set": "egemaps"}, "feature_set", ("features", "augment")),
        ({"train": {"copies": 2}}, "augment", ("features",)),
    ],
)
def test_only_settings_with_an_effect_are_shown(ser, put, recipe, shown, not_shown):
    recipe = {"model": {"name": "crnn"}, **recipe}
    put("a", recipe=recipe, model=recipe["model"]["name"])
    lines = csv.DictReader(io.StringIO(ser("runs", "show", "a", "--format", "csv").stdout))
    fields = {line["name"].split(".")[1] for line in lines if line["name"].startswith("recipe.")}
    assert shown in fields
    assert not fields & set(not_shown)
    assert "focal_gamma" not in ser("runs", "show", "a").stdout  # the loss is cross-entropy


def test_a_run_that_is_not_finished_is_shown_without_scores(ser, put):
    put("going", stopped=None)
    result = ser("runs", "show", "going")
    assert "going: not finished" in result.stderr
    assert "macro-F1" not in result.stdout
    assert listed(ser("runs", "show", "going", "--format", "json"))["scores"] is None


@pytest.mark.parametrize(
    "words", [["evaluate", "b"], ["compare", "a", "b"], ["explain", "b"], ["export", "b", "--model-card"]]
)
def test_a_training_that_has_not_ended_is_not_judged(ser, put, words, tmp_path):
    for name, stopped in (("a", "done"), ("b", None)):
        save_random(put(name, stopped=stopped))
    write_manifest(tmp_path / "manifests", manifest_rows())
    before = sorted(path.name for path in (tmp_path / "runs" / "b").iterdir())
    found = ser(*words, status=1).stderr
    assert "ser: runs/b: its training has not ended; continue with 'ser train --resume runs/b'" in found
    assert sorted(path.name for path in (tmp_path / "runs" / "b").iterdir()) == before


@pytest.mark.parametrize("words", [["runs", "delete", "b", "a", "--yes"], ["evaluate", "a"]])
def test_a_run_that_another_process_trains_is_left_alone(ser, put, words, tmp_path):
    folder = put("a")
    put("b")
    with held(folder):
        found = ser(*words, status=1).stderr
    assert "runs/a: is being trained or scored by another process" in found
    assert (folder / "scores.json").is_file()
    assert (tmp_path / "runs" / "b").is_dir()


@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_a_run_that_may_not_be_written_to_is_said_before_any_work(ser, put, command, monkeypatch):
    def refuse(self):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    put("a")
    monkeypatch.setattr(Path, "touch", refuse)
    assert "ser: runs/a: not writable; choose another" in ser(command, "a", status=1).stderr


def test_a_run_that_cannot_be_shown_is_one_line(ser, put, tmp_path):
    put("a")
    assert "run 'b' does not exist; the newest in runs are: a" in ser("runs", "show", "b", status=1).stderr
    (tmp_path / "runs" / "a" / "settings.json").write_text("{")
    error = ser("runs", "show", "a", status=1).stderr
    assert error.startswith("ser: runs/a/settings.json: file: Invalid JSON")
    assert len(error.splitlines()) == 1


def test_runs_are_deleted_without_asking_if_told_so(ser, put, tmp_path):
    for name in ("a", "b", "c"):
        put(name)
    (tmp_path / "runs" / "b" / "settings.json").write_text("{")
    result = ser("runs", "delete", "a", "runs/b", "a", "--yes")
    assert result.stdout.splitlines() == ["deleted runs/a, 8.5 MiB", "deleted runs/b, 8.5 MiB"]
    assert [path.name for path in (tmp_path / "runs").glob("[!.]*")] == ["c"]


def test_nothing_is_deleted_where_one_name_is_wrong_or_nobody_can_be_asked(ser, put, tmp_path):
    put("a")
    result = ser("runs", "delete", "a", "b", "--yes", status=1)
    assert "run 'b' does not exist" in result.stderr
    result = ser("runs", "delete", "a", status=1)
    assert result.stderr.splitlines() == [
        "ser: nothing was deleted: there is no terminal to ask on; pass --yes to delete without asking"
    ]
    assert [path.name for path in (tmp_path / "runs").glob("[!.]*")] == ["a"]
    assert ser("runs", "delete", status=2)


@pytest.mark.parametrize(("answer", "left"), [("y", []), ("n", ["a"]), ("", ["a"])])
def test_a_terminal_is_asked(put, tmp_path, answer, left):
    put("a")
    ours, theirs = pytest.importorskip("pty").openpty()
    words = [sys.executable, "-m", "ser_pipeline", "runs", "delete", "a"]
    done = subprocess.Popen(
        words, cwd=tmp_path, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    os.write(ours, f"{answer}\n".encode())
    out, error = done.communicate(timeout=300)
    os.close(ours)
    os.close(theirs)
    assert "delete run runs/a (8.5 MiB)? [y/N]" in error
    assert done.returncode == (1 if left else 0)
    assert ("nothing was deleted" in error) == bool(left)
    assert out.strip() == ("" if left else "deleted runs/a, 8.5 MiB")
    assert [path.name for path in (tmp_path / "runs").glob("[!.]*")] == left


LINE = "run broken could not be read: runs/broken/settings.json: file: Invalid JSON"


@pytest.fixture
def broken(put, tmp_path):
    put("broken", hours=-1)
    (tmp_path / "runs" / "broken" / "settings.json").write_text('{"name":')


def told(result):
    return [line for line in result.stderr.splitlines() if "broken" in line]


def test_a_report_is_made_beside_a_run_that_cannot_be_read(ser, put, broken, tmp_path, no_drawings):
    manifests = write_manifests(tmp_path / "manifests", manifest_rows())
    write_run(tmp_path / "runs", "good", manifest_rows(), digest_of(manifests), epochs=1)
    result = ser("report", "--runs", "good")
    assert len(told(result)) == 1
    assert told(result)[0].startswith(LINE)
    result = ser("report", status=1)  # it is named on the page, too
    assert len(told(result)) == 1
    assert told(result)[0].startswith(LINE)
    assert "runs/broken/settings.json" in (tmp_path / "reports" / "report.html").read_text()


def test_experiments_are_listed_beside_one_that_cannot_be_read(ser, tmp_path):
    for name, file in (("mine", "findings.json"), ("yours", "cells.parquet")):
        (tmp_path / "runs" / "experiments" / name).mkdir(parents=True)
        (tmp_path / "runs" / "experiments" / name / file).write_text("{")
    result = ser("experiment", "list", "--format", "json")
    assert "hypotheses" in {row["name"] for row in listed(result)}
    first, second = result.stderr.splitlines()
    assert first.startswith("experiment mine could not be read: runs/experiments/mine/findings.json: ")
    assert second.startswith("experiment yours could not be read: runs/experiments/yours/cells.parquet: ")
