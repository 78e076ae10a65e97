import sys

import numpy as np
import pytest

from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.errors import SettingsError
from ser_pipeline.features.catalogue import FEATURES, NAMES
from ser_pipeline.features.external import PraatVoice
from ser_pipeline.features.extract import extract
from ser_pipeline.options import FeatureOptions

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


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    frames = frame_wave(np.ones(1_600, np.float32), PRAAT)
    with pytest.raises(SettingsError, match=r"pip install 'ser-pipeline\[praat\]'"):
        PraatVoice(frames, 500.0)
