import numpy as np
import pytest
import soundfile as sf
import torch
from typer.testing import CliRunner

from ser_pipeline.cli import app

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


@pytest.fixture
def tones(tmp_path, monkeypatch):
    """Write an EMO-DB of tones with these names, and its manifest; work beside them."""

    def write(names, lowest_hz=150):
        folder = tmp_path / "DataSets" / "EmoDB" / "wav"
        folder.mkdir(parents=True)
        for number, name in enumerate(names):
            wave = 0.2 * np.sin(2 * np.pi * (lowest_hz + 20 * number) * np.arange(8_000) / 16_000)
            sf.write(folder / f"{name}.wav", wave, 16_000)
        monkeypatch.chdir(tmp_path)
        assert CliRunner().invoke(app, ["manifest", "build"]).exit_code == 0
        return tmp_path

    return write


@pytest.fixture
def home(tones):
    """Four tones and their manifest."""
    return tones(["03a01Wa", "03a01Fa", "08a01Wa", "08a01Na"])
