import pytest
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
