"""The chain as a user types it, in a folder that holds nothing but ``DataSets``."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, recall_score
from typer.testing import CliRunner, Result

from ser_pipeline.cli import app

pytestmark = pytest.mark.slow


def ser(*words: str, cwd: Path, status: int = 0) -> Result:
    with chdir(cwd):
        done = CliRunner().invoke(app, words)
    assert done.exit_code == status, f"ser {' '.join(words)}\n{done.output}"
    return done


def as_typed(*words: str, cwd: Path) -> str:
    """Run a command as a process of its own, and give what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "ser_pipeline", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=500,
    )
    assert done.returncode == 0, f"ser {' '.join(words)}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stderr


def the_error(said: str) -> str:
    """The one line that says what is wrong; it is the last one."""
    lines = said.strip().splitlines()
    assert [line for line in lines if line.startswith("ser: ")] == lines[-1:]
    return lines[-1]


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder in which the four commands were run bare, but for a short training."""
    folder = tmp_path_factory.mktemp("work")
    made = ("--size", "small", "--corpora", "emodb,iemocap,ravdess")
    ser("corpora", "synth", "DataSets", "--seed", "1", *made, cwd=folder)
    assert [path.name for path in folder.iterdir()] == ["DataSets"]
    (folder / "ser.toml").write_text("[train]\nepochs = 2\n")
    said = {}
    for words in (["manifest", "build"], ["cache", "mels", "--jobs", "2"], ["train", "crnn"], ["report"]):
        said[words[0]] = as_typed(*words, cwd=folder)
    for before, after in (
        ("manifest", "ser cache mels"),
        ("cache", "ser train crnn"),
        ("train", "ser report"),
    ):
        assert f"next: {after}" in said[before]
    return folder


def the_run(folder: Path) -> Path:
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    return run


def test_the_four_commands_leave_a_page(work):
    page = (work / "reports" / "report.html").read_text(encoding="utf-8")
    assert "synthetic" in page.lower()
    assert "<script src" not in page
    assert {path.name for path in the_run(work).iterdir()} >= {
        "settings.json",
        "metrics.csv",
        "model.safetensors",
        "model.json",
        "predictions.parquet",
        "scores.json",
        "last.ckpt",
    }


def test_scores_are_those_of_scikit_learn(work):
    run = the_run(work)
    predictions = pq.read_table(run / "predictions.parquet").to_pandas()
    test = predictions[predictions["part"] == "test"]
    scores = json.loads((run / "scores.json").read_text())["parts"]["test"]["pooled"]
    assert scores["clips"] == len(test)
    assert scores["accuracy"]["value"] == pytest.approx(accuracy_score(test["target"], test["predicted"]))
    uar = recall_score(test["target"], test["predicted"], average="macro", zero_division=0)
    assert scores["uar"]["value"] == pytest.approx(uar)


def test_no_person_is_on_both_sides(work):
    manifest = pq.read_table(work / "manifests" / "manifest.parquet").to_pandas()
    predictions = pq.read_table(the_run(work) / "predictions.parquet").to_pandas()
    rows = predictions.merge(manifest[["utterance_id", "speaker_id"]], on="utterance_id")
    people = rows.groupby("part")["speaker_id"].agg(set)
    assert not people["train"] & people["test"]
    assert not people["train"] & people["validation"]
    assert not people["validation"] & people["test"]


def test_without_recordings_training_and_evaluation_still_run(work, tmp_path):
    folder = tmp_path / "copy"
    for name in ("manifests", "cache"):
        shutil.copytree(work / name, folder / name)
    ser("train", "crnn", "--epochs", "1", "--name", "bare", cwd=folder)
    before = (folder / "runs" / "bare" / "scores.json").read_text()
    ser("evaluate", "bare", cwd=folder)
    assert (folder / "runs" / "bare" / "scores.json").read_text() == before


def test_a_second_build_writes_the_same_bytes(work):
    files = [work / "manifests" / name for name in ("manifest.parquet", "rejects.parquet")]
    files.append(work / "manifests" / "splits" / "speaker.parquet")
    before = [path.read_bytes() for path in files]
    ser("manifest", "build", cwd=work)
    assert [path.read_bytes() for path in files] == before


def test_a_complete_cache_computes_nothing(work):
    assert "(0 computed now, 0 failed)" in ser("cache", "mels", cwd=work).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cache", "mels"], "'ser manifest build'"),
        (["train", "crnn"], "ser manifest build"),
        (["report"], "ser manifest build"),
        (["evaluate"], "ser train"),
        (["manifest", "build"], "DataSets"),
    ],
)
def test_what_is_missing_names_the_command_that_makes_it(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert message in done.stderr
    assert the_error(done.stderr)


def test_another_preset_names_its_cache(work):
    ser("manifest", "split", "stratified", cwd=work)
    done = ser("train", "crnn", "--preset", "paper", cwd=work, status=1)
    assert "ser cache mels --preset paper" in done.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["train", "crnn", "--epochs", "0"], 1),
        (["train", "nonesuch"], 1),
        (["train", "crnn", "--task", "5class"], 1),
        (["train", "crnn", "--split", "nonesuch"], 1),
        (["train", "crnn", "--corpora", "nonesuch"], 1),
        (["train", "crnn", "--languages", "xx"], 1),
        (["train", "crnn", "--resume", "nonesuch"], 1),
        (["train", "crnn", "--fold", "1"], 1),
        (["evaluate", "nonesuch"], 1),
        (["evaluate", "--part", "nonesuch"], 1),
        (["report", "--runs", "nonesuch"], 1),
        (["manifest", "split", "nonesuch"], 1),
        (["manifest", "query", "SELEC"], 1),
        (["cache", "mels", "--denoise", "nonesuch"], 1),
        (["cache", "mels", "--shards", "4:2"], 1),
        (["cache", "mels", "--preset", "nonesuch"], 1),
    ],
)
def test_wrong_values_give_one_line(work, monkeypatch, words, status):
    monkeypatch.chdir(work)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == status
    if status == 1:
        assert the_error(done.stderr)


def test_every_prediction_is_a_distribution(work):
    predictions = pq.read_table(the_run(work) / "predictions.parquet").to_pandas()
    shares = predictions[[name for name in predictions.columns if name.startswith("p_")]].to_numpy()
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert (shares.argmax(axis=1) == predictions["predicted"]).all()
