import pytest
import torch

from ser_pipeline.api.places import SETTINGS_FILE
from tests.cli.conftest import TOML


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def here(toy, tmp_path, monkeypatch):
    """A working folder with the toy's manifest, stores and settings, as the functions look for them."""
    monkeypatch.chdir(tmp_path)
    SETTINGS_FILE.write_text(TOML)
    return tmp_path
