"""Fixtures that many tests share."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh generator with a fixed seed for every test."""
    return np.random.default_rng(20_250_101)


@pytest.fixture
def real_data() -> Path:
    """Folder of real recordings; the test is skipped where there is none."""
    folder = os.environ.get("SER_REAL_DATA")
    if not folder:
        pytest.skip("SER_REAL_DATA is not set: no real recordings here")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"SER_REAL_DATA={folder} is not a folder")
    return path
