"""Synthetic corpora that several tests look at."""

from pathlib import Path

import pytest

from ser_pipeline.synth import synth


@pytest.fixture(scope="session")
def small_corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All eight corpora at size small, seed 7; tests read it and leave it alone."""
    folder = tmp_path_factory.mktemp("synthetic") / "DataSets"
    synth(folder, seed=7, size="small")
    return folder
