import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.cli import app
from tests.serving.conftest import RATE, save_random, voice


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_random(tmp_path / "runs" / "small")
    sf.write(tmp_path / "a.wav", voice(1.0), RATE)
    return tmp_path


def ser(*words, status=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result


@pytest.mark.parametrize(
    ("flags", "name", "takes"),
    [
        ([], "model.onnx", "mel"),
        (["--int8"], "model-int8.onnx", "mel"),
        (["--front-end"], "model-wave.onnx", "wave"),
        (["--front-end", "--int8"], "model-wave-int8.onnx", "wave"),
    ],
)
def test_a_graph_lands_in_the_runs_folder(here, flags, name, takes):
    sf.write(here / "quiet.wav", 1e-4 * voice(1.0), RATE, subtype="FLOAT")
    result = ser("export", "small", *flags, "--check", "a.wav", "--check", "gone.wav", "--check", "quiet.wav")
    assert (here / "runs" / "small" / name).is_file()
    assert f"takes '{takes}'" in result.stdout
    assert "on 1 recording: probabilities differ by at most" in result.stderr
    assert (
        "quiet.wav: silent: no sample is 0.0001 of full scale away from their mean; skipped" in result.stderr
    )
    assert "gone.wav: cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("check", "says"),
    [
        ([], "not compared on any recordings; name some with --check"),
        (["--check", "gone.wav"], "not compared on any recordings; none of those named could be used"),
        (["--check", "quiet.wav"], "not compared on any recordings; none of those named could be used"),
    ],
)
def test_a_graph_that_was_compared_on_nothing_says_so(here, check, says):
    sf.write(here / "quiet.wav", 1e-4 * voice(1.0), RATE, subtype="FLOAT")
    assert says in ser("export", "small", *check).stderr


def test_a_graph_predicts_like_its_run(here):
    ser("export", "small", "--out", "m.onnx")
    one, other = (
        ser("predict", "a.wav", "--model", m, "--format", "csv").stdout for m in ("small", "m.onnx")
    )
    assert one.splitlines()[1][:20] == other.splitlines()[1][:20]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["nowhere"], 1, "model 'nowhere' does not exist"),
        (["a.wav"], 1, "a.wav: not a model"),
        (["small", "--format", "tflite"], 2, "tflite"),
        (["small", "--model-card"], 1, "settings.json: not found"),
        (["small", "--out", "m.txt"], 1, "ser: --out m.txt: must end in .onnx"),
        (
            ["small", "--model-card", "--int8", "--check", "a.wav"],
            1,
            "ser: --model-card: does not go with --int8 or --check; leave it out",
        ),
        (["small", "--model-card", "--out", "m.onnx"], 1, "ser: --out m.onnx: must end in .md"),
    ],
)
def test_wrong_words_are_one_clear_line(here, words, status, says):
    result = ser("export", *words, status=status)
    assert says in result.output
    assert "Traceback" not in result.output
