import sys

import numpy as np
import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.features import external
from ser_pipeline.options import SmileOptions


@pytest.mark.parametrize(("feature_set", "columns"), [("egemaps", 88), ("compare", 6373)])
def test_sets_have_their_published_size(rng, feature_set, columns):
    pytest.importorskip("opensmile")
    options = SmileOptions(feature_set=feature_set)
    wave = (0.1 * rng.standard_normal(16_000)).astype(np.float32)
    found = external.functionals(wave, options)
    names = external.column_names(options)
    assert found.shape == (columns,)
    assert len(set(names)) == columns


def test_numbers_are_opensmiles_own():
    opensmile = pytest.importorskip("opensmile")
    wave = (0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)).astype(np.float32)
    options = SmileOptions(feature_set="egemaps")
    own = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = own.process_signal(wave, 16_000)
    assert external.column_names(options) == tuple(expected.columns)
    assert external.functionals(wave, options) == pytest.approx(expected.to_numpy()[0], rel=1e-6)


def test_a_wave_shorter_than_its_frames_is_followed_by_silence():
    pytest.importorskip("opensmile")
    click = np.zeros(400, np.float32)
    click[200] = 0.5
    assert np.isfinite(external.functionals(click, SmileOptions(feature_set="egemaps"))).all()


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    external._extractor.cache_clear()
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[opensmile\]'"):
        external.column_names(SmileOptions(feature_set="compare"))
    external._extractor.cache_clear()
