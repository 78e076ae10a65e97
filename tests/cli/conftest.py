import copy
import functools
import re
import shutil

import numpy as np
import pytest
import soundfile as sf
import torch
from typer.main import get_command
from typer.testing import CliRunner

from ser_pipeline.cli import app

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What colours a text or moves the cursor."""

TOML = """
[front_end]
n_mels = 8
max_s = 1.0

[train]
batch_size = 16
warmup_epochs = 0
epochs = 2
learning_rate = 0.003

[train.spec_augment]
frequency_width = 1

[tasks]
loud = ["anger", "happiness"]
"""


def build_manifest_in(home):
    """Run ``ser manifest build`` in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert CliRunner().invoke(app, ["manifest", "build"]).exit_code == 0


@pytest.fixture(scope="session", autouse=True)
def commands_once():
    """Build the commands once, not for every command that a test runs."""
    with pytest.MonkeyPatch.context() as patch:
        built = functools.cache(get_command)
        patch.setattr("typer.testing._get_command", lambda made: copy.copy(built(made)))
        yield


@pytest.fixture
def ser(toy, tmp_path, monkeypatch):
    """Run a command in a folder that holds the toy's manifest, stores and settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ser.toml").write_text(TOML)
    threads = torch.get_num_threads()

    def run(*words, status=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == status, result.output
        return result

    yield run
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained_files(toy_files, small_crnn, tmp_path_factory):
    """Runs of the toy: ``a``, a network that has learned for one epoch."""
    home = shutil.copytree(toy_files, tmp_path_factory.mktemp("trained"), dirs_exist_ok=True)
    (home / "ser.toml").write_text(TOML)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr("ser_pipeline.evaluation.run.REPEATS", 1)
        patch.setattr("ser_pipeline.evaluation.internals.place", lambda vectors: vectors[:, :2])
        words = ["train", "crnn", "--threads", "1", "--name", "a", "--epochs", "1"]
        result = CliRunner().invoke(app, words)
    torch.set_num_threads(threads)
    assert result.exit_code == 0, result.output
    return home / "runs"


@pytest.fixture
def trained(ser, trained_files, tmp_path):
    """Run a command where run ``a`` is trained already."""
    shutil.copytree(trained_files, tmp_path / "runs")
    return ser


@pytest.fixture(scope="session")
def tone_files(tmp_path_factory):
    """Write tones of these names, and their manifest, once for all who ask for the same."""

    @functools.cache
    def written(names, lowest_hz):
        home = tmp_path_factory.mktemp("tones")
        folder = home / "DataSets" / "EmoDB" / "wav"
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            wave = 0.2 * np.sin(2 * np.pi * (lowest_hz + 20 * number) * np.arange(8_000) / 16_000)
            sf.write(folder / f"{name}.wav", wave, 16_000)
        build_manifest_in(home)
        return home

    return written


@pytest.fixture
def tones(tone_files, tmp_path, monkeypatch):
    """Write an EMO-DB of tones with these names, and its manifest; work beside them."""

    def write(names, lowest_hz=150):
        shutil.copytree(tone_files(tuple(names), lowest_hz), tmp_path, dirs_exist_ok=True)
        monkeypatch.chdir(tmp_path)
        return tmp_path

    return write


@pytest.fixture
def home(tones):
    """Four tones and their manifest."""
    return tones(["03a01Wa", "03a01Fa", "08a01Wa", "08a01Na"])


@pytest.fixture(scope="session")
def corpus_files(tmp_path_factory):
    """The recordings of ``corpus`` with their manifest and split, written once."""
    home = tmp_path_factory.mktemp("corpus")
    folder = home / "DataSets" / "EmoDB" / "wav"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    t = np.arange(6_400) / 16_000
    for voice, speaker in enumerate(("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")):
        for number, letter in enumerate("WFNT"):
            for take in "ab":
                pitch = 150 * 1.4**number + 3 * voice
                wave = 0.1 * np.sin(2 * np.pi * pitch * t) + 0.02 * np.sin(2 * np.pi * (900 + 90 * voice) * t)
                sf.write(
                    folder / f"{speaker}a01{letter}{take}.wav", wave + 0.01 * rng.normal(size=t.size), 16_000
                )
    build_manifest_in(home)
    return home


@pytest.fixture
def corpus(corpus_files, tmp_path, monkeypatch):
    """EMO-DB of ten speakers: emotions are pitches, speakers overtones; with its manifest and split."""
    shutil.copytree(corpus_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("SER_ENCODERS", raising=False)
    monkeypatch.setattr("ser_pipeline.evaluation.run.REPEATS", 1)  # no test asks how long decisions take
    monkeypatch.setattr("ser_pipeline.evaluation.internals.place", lambda vectors: vectors[:, :2])  # no t-SNE
    return tmp_path


@pytest.fixture
def terminal(monkeypatch):
    """Run a command as in a terminal of some width; gives the lines that it writes there."""

    def run(*words, width=80, status=0):
        with monkeypatch.context() as patch:
            patch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True)
            patch.setenv("TERM", "xterm-256color")
            patch.setenv("COLUMNS", str(width))
            patch.setenv("LINES", "24")
            result = CliRunner().invoke(app, [str(word) for word in words], terminal_width=width)
        assert status is None or result.exit_code == status, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return re.split(r"[\n\r]+", ANSI.sub("", result.output).rstrip())

    return run
