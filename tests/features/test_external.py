import sys
from types import SimpleNamespace

import numpy as np
import pytest

from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.errors import AudioError, SettingsError
from ser_pipeline.features import external
from ser_pipeline.features.catalogue import FEATURES, NAMES
from ser_pipeline.features.external import PraatVoice
from ser_pipeline.features.extract import extract
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.options import FeatureOptions, SmileOptions

PRAAT = FeatureOptions(voice="praat")


def named(wave, options=PRAAT):
    return dict(zip(NAMES, extract(wave, options).tolist(), strict=True))


def test_praat_fills_the_same_vector(voice):
    pytest.importorskip("parselmouth")
    theirs, own = named(voice.wave), named(voice.wave, FeatureOptions())
    assert theirs["pitch_hz_mean"] == pytest.approx(own["pitch_hz_mean"], rel=0.01)
    assert theirs["formant_1_mean"] == pytest.approx(own["formant_1_mean"], rel=0.1)
    assert theirs["voiced_share"] == pytest.approx(own["voiced_share"], abs=0.1)
    assert theirs["hnr_mean"] == pytest.approx(own["hnr_mean"], abs=3)
    assert theirs["jitter_absolute"] == pytest.approx(own["jitter_absolute"], rel=0.3)
    assert theirs["shimmer_db"] == pytest.approx(own["shimmer_db"], rel=0.3)
    touched = {"pitch", "voice", "formants", "rhythm", "zero crossings", "duration"}
    same = [row.name for row in FEATURES if row.group not in touched]
    assert [theirs[name] for name in same] == [own[name] for name in same]


def test_a_pure_tone_has_its_pitch_and_no_jitter():
    pytest.importorskip("parselmouth")
    tone = 0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)
    found = named(tone.astype(np.float32))
    assert found["pitch_hz_mean"] == pytest.approx(220, abs=0.1)
    assert found["jitter_local"] == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("length", [400, 1_600, 3_000])
def test_short_and_unvoiced_clips_are_finite(rng, length):
    pytest.importorskip("parselmouth")
    found = extract((0.1 * rng.standard_normal(length)).astype(np.float32), PRAAT)
    assert np.isfinite(found).all()


def test_without_praat_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    frames = frame_wave(np.ones(1_600, np.float32), PRAAT)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[praat\]'"):
        PraatVoice(frames, 500.0)


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


def test_without_opensmile_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    external._extractor.cache_clear()
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[opensmile\]'"):
        external.column_names(SmileOptions(feature_set="compare"))
    external._extractor.cache_clear()


def test_an_infinite_functional_is_not_stored_as_a_number(monkeypatch):
    numbers = np.array([[1.0, np.nan, np.inf]], np.float32)
    frame = SimpleNamespace(to_numpy=lambda dtype: numbers)
    extractor = SimpleNamespace(process_signal=lambda wave, sample_rate: frame)
    monkeypatch.setattr(external, "_extractor", lambda feature_set: extractor)
    options = SmileOptions(feature_set="egemaps")
    assert external.functionals(np.ones(1_600), options).tolist() == [1.0, 0.0, np.inf]
    with pytest.raises(AudioError, match="1 of its features are not finite; the recording cannot be used"):
        row_of_wave(np.ones(1_600, np.float32), options)
