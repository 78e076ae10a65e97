import sys

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline.api import build_manifest
from ser_pipeline.benchmarks.caching import feature_figures
from ser_pipeline.benchmarks.plain import plain_features
from ser_pipeline.features import external
from ser_pipeline.manifest import read_manifest


@pytest.fixture
def home(tmp_path, rng):
    folder = tmp_path / "DataSets" / "EmoDB" / "wav"
    folder.mkdir(parents=True)
    for name in ("03a01Wa", "08a01Na"):
        tone = 0.2 * np.sin(2 * np.pi * rng.uniform(150, 300) * np.arange(16_000) / 16_000)
        sf.write(folder / f"{name}.wav", tone + 0.01 * rng.standard_normal(16_000), 16_000)
    build_manifest(tmp_path / "DataSets", tmp_path / "manifests", jobs=1)
    return tmp_path


def test_librosas_numbers_are_as_many_as_said(home):
    values = plain_features(next((home / "DataSets/EmoDB/wav").iterdir()), 16_000)
    assert values.shape == (183,)
    assert np.isfinite(values).all()


def test_without_opensmile_one_line_says_so(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    external._extractor.cache_clear()
    figures = list(feature_figures(read_manifest(home / "manifests"), home / "DataSets"))
    external._extractor.cache_clear()
    assert [figure.ratio is None for figure in figures] == [True, False]
    assert "left out" in figures[0].work
    assert "pip install" in figures[0].note
    assert figures[1].rate > 0
