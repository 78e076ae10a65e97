import importlib.util
import socket
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.serving import demo
from tests.serving.conftest import save_random


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_random(tmp_path / "runs" / "small")
    return tmp_path


def ser(*words, status=0):
    result = CliRunner().invoke(app, ["demo", *map(str, words)])
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return result


def test_it_serves_the_model_on_this_computer_alone(here, monkeypatch):
    asked = []
    monkeypatch.setattr(demo, "serve", lambda app, host, port: asked.append((host, port)))
    result = ser("--model", "small", "--no-page")
    assert asked == [("127.0.0.1", 7860)]
    assert result.stdout == "http://127.0.0.1:7860  (model small; press Ctrl-C to stop)\n"
    words = ("--model", "small", "--no-page", "--host", "0.0.0.0", "--host", "ser.example")
    assert "no password" in ser(*words).stderr
    assert asked[-1] == ("0.0.0.0", 7860)


def test_where_nothing_was_trained_the_built_in_model_answers(here, monkeypatch):
    monkeypatch.setattr(demo, "serve", lambda app, host, port: None)
    result = ser("--runs", "none", "--no-page")
    assert "(model built-in.onnx; press Ctrl-C to stop)" in result.stdout
    assert "non-commercial use only" in " ".join(result.stderr.split())
    assert "does not exist" in ser("--model", "none", status=1).stderr


def test_a_port_in_use_is_one_line(here):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = ser("--model", "small", "--no-page", "--port", port, status=1)
    assert f"127.0.0.1:{port}: cannot be used" in result.stderr


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--max-mb", "0"], 1, "ser: --max-mb 0: must be a number above 0 and at most 1024"),
        (["--max-seconds", "-1"], 1, "ser: --max-seconds -1: must be a number above 0 and at most 7200"),
        (["--queue", "0"], 1, "ser: --queue 0: must be a whole number from 1 to 4096"),
        (["--port", "0"], 2, "port"),
    ],
)
def test_wrong_words_are_one_clear_line(here, words, status, says):
    assert says in ser("--model", "small", *words, status=status).output


def test_without_the_extra_it_is_named(here, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert "uvicorn; install with pip install 'ser-pipeline[demo]'" in ser(status=1).stderr


def test_asking_for_help_loads_nothing_heavy():
    script = (
        "import sys; from typer.testing import CliRunner; from ser_pipeline.cli import app\n"
        "assert CliRunner().invoke(app, ['demo', '--help']).exit_code == 0\n"
        "print({'torch', 'numpy', 'jinja2', 'fastapi', 'uvicorn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
