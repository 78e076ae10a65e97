"""What the pages are compared with."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command

from ser_pipeline.cli import app

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


@pytest.fixture(scope="session")
def pinned():
    """Skip a test of what packages print or state where others than the pinned ones are installed."""
    pins = dict(re.findall(r"^([^\s#=]+)==(\S+)", CONSTRAINTS.read_text("utf-8"), re.MULTILINE))

    def check(*names: str) -> None:
        others = [name for name in names if version(name).partition("+")[0] != pins[name]]
        if others:
            pytest.skip(f"not in the version of constraints.txt: {', '.join(others)}")

    return check


@pytest.fixture(scope="session")
def ser():
    """The command ``ser``, built once."""
    return get_command(app)
