import json
import sys

import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.cli import app
from tests.serving.conftest import RATE, adapting, save_random, voice, voices

__all__ = ["adapting", "voices"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_random(tmp_path / "runs" / "small")
    sf.write(tmp_path / "a.wav", voice(2.2), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    return tmp_path


def ser(*words, status=0):
    result = CliRunner().invoke(app, ["listen", "--model", "small", *words])
    assert result.exit_code == status, result.output
    return result


def test_a_recording_is_told_every_half_second(here):
    result = ser("--file", "a.wav", "--at-once")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["1.0", "1.5", "2.0", "2.2"]
    assert "4 answers in 2.2 s of sound" in result.stderr
    assert "real-time factor" in result.stderr


def test_json_lines_are_those_of_the_timeline(here):
    live = ser("--file", "a.wav", "--at-once", "--format", "json").stdout
    words = ["predict", "a.wav", "--timeline", "--hop", "0.5", "--model", "small", "--format", "json"]
    offline = CliRunner().invoke(app, words).stdout
    pairs = zip(live.splitlines(), offline.splitlines(), strict=True)
    for one, other in (map(json.loads, pair) for pair in pairs):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)
        assert one["end_s"] == other["end_s"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--file", "gone.wav"], 1, "gone.wav: cannot be read"),
        (["--file", "text.wav"], 1, "text.wav: not a recording"),
        (["--file", "a.wav", "--hop", "-1"], 1, "ser: --hop -1: must be a number from 0.05 to 60"),
        (["--file", "a.wav", "--abstain", "x"], 1, "ser: --abstain x: must be a number from 0 to 1 or auto"),
        ([], 1, "listening needs sounddevice"),
    ],
)
def test_wrong_words_are_one_clear_line(here, monkeypatch, words, status, says):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = ser(*words, status=status)
    assert says in result.stderr
    lines = result.stderr.splitlines()
    assert says in lines[-1]
    assert len([line for line in lines if not line.startswith("answered by ")]) == 1


def test_it_follows_a_voice_and_knows_one(adapting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").rename(tmp_path / "small")
    sf.write(tmp_path / "a.wav", voice(6.0), RATE)

    def told(*words):
        return ser("--runs", ".", "--file", "a.wav", "--at-once", "--format", "csv", *words)

    usual, followed = told().stdout.splitlines(), told("--adapt").stdout.splitlines()
    assert usual[1] == followed[1]
    assert usual[-1] != followed[-1]
    known = told("--enrol", "a.wav")
    assert known.stdout.splitlines()[1] != usual[1]
    assert "adapted to the speaker with 1 recording" in known.stderr


def test_a_model_that_does_not_adapt_says_so(here):
    said = ser("--file", "a.wav", "--at-once", "--adapt", status=1).stderr
    assert "ser: small: was not trained to adapt to a speaker; train one with --normalise adaptive" in said


def test_the_model_is_warm_before_it_listens(here, monkeypatch):
    from ser_pipeline.serving.model import Model

    called = []
    monkeypatch.setattr(Model, "warm_up", lambda self: called.append(self.name))
    ser("--file", "a.wav", "--at-once")
    assert called == ["small"]
