"""The model that comes with the package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline import load_model
from ser_pipeline.cli import app
from ser_pipeline.errors import RunError
from ser_pipeline.serving.graph import load_graph
from ser_pipeline.serving.load import BUILT_IN, find_model
from tests.serving.conftest import RATE, save_random, voice

LARGEST = 3 * 2**20


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sf.write("a.wav", voice(2.0, 1), RATE)
    return tmp_path


def test_it_is_small_and_fits_this_version():
    facts, _ = load_graph(BUILT_IN)
    assert BUILT_IN.stat().st_size <= LARGEST
    assert facts.int8
    assert not facts.card.synthetic
    model = load_model("built-in")
    assert model.emotions == ("anger", "happiness", "neutral", "sadness")
    assert model.about.people == "new people"
    assert model.about.uar.value > 2 * model.about.chance - 0.1


def test_it_learned_from_what_its_licence_names_and_from_nothing_else():
    facts, _ = load_graph(BUILT_IN)
    assert set(facts.about.trained_on) == {"ravdess", "ravdess-song", "nemo"}
    licence = BUILT_IN.with_name("LICENSE").read_text(encoding="utf-8")
    card = BUILT_IN.with_name("built-in.md").read_text(encoding="utf-8")
    for name in ("RAVDESS", "nEMO", "Whisper base"):
        assert name in licence
    assert "CC BY-NC-SA 4.0" in licence
    for name in facts.about.trained_on:
        assert re.search(rf"\| {name} +\| CC BY-NC-SA 4.0", card)


def test_it_answers_where_nothing_was_trained_and_says_what_it_is(here):
    result = CliRunner().invoke(app, ["predict", "a.wav", "--format", "json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["answered_by"]["name"] == "built-in"
    assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    told = " ".join(result.stderr.split())
    assert "answered by built-in: crnn" in told
    assert "not for decisions about people" in told
    assert "non-commercial use only (CC BY-NC-SA 4.0)" in told
    assert "train a better one" in told


def test_it_needs_no_torch_and_reports_to_nobody(here):
    (here / "temporary").mkdir()
    told = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = (
        "import sys; from ser_pipeline import load_model;"
        "print(load_model('built-in').predict('a.wav').decision);"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**told, "TMPDIR": str(here / "temporary")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [*(here / "temporary").iterdir()] == []  # where onnxruntime would keep who it reports as


def test_a_run_comes_first_and_one_of_its_name_is_the_run(here):
    assert find_model(None, here / "runs") == BUILT_IN
    save_random(here / "runs" / "built-in")
    assert find_model(Path("built-in"), here / "runs") == here / "runs" / "built-in"


def test_there_is_nothing_to_export_but_runs(here):
    with pytest.raises(RunError, match="contains no trained model"):
        find_model(None, here / "runs", built_in=False)


def test_it_can_be_taken_out_of_the_package(here, monkeypatch):
    monkeypatch.setattr("ser_pipeline.serving.load.BUILT_IN", here / "gone.onnx")
    with pytest.raises(RunError, match="contains no trained model"):
        find_model(None, here / "runs")


@pytest.mark.real
def test_it_tells_emotions_of_people_it_never_heard(real_data):
    model = load_model("built-in")
    letters = {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness"}
    hits = {emotion: [] for emotion in letters.values()}
    for path in sorted((real_data / "EmoDB").rglob("*.*")):
        if path.suffix in (".wav", ".flac") and path.stem[5:6] in letters:
            emotion = letters[path.stem[5]]
            hits[emotion].append(model.predict(path).decision == emotion)
    recall = np.mean([np.mean(each) for each in hits.values()])
    assert recall == pytest.approx(model.about.uar.value, abs=0.02)
