import numpy as np
import pytest

from ser_pipeline.features.contour import pitch_series, pitch_singles, semitones
from ser_pipeline.features.frames import frame_wave
from ser_pipeline.features.pitch import Pitch
from ser_pipeline.settings import FeatureOptions


@pytest.fixture
def frames(tone):
    return frame_wave(tone(200, 1.2), FeatureOptions())


def contour(frames, hz):
    whole = np.zeros(frames.count)
    whole[: len(hz)] = hz
    return Pitch(whole, np.where(whole > 0, 0.9, 0))


def test_an_octave_is_twelve_semitones():
    assert semitones(np.array([27.5, 55, 110, 220])).tolist() == [0, 12, 24, 36]


def test_a_steady_glide(frames):
    rising = 100 * 2 ** (np.arange(60) * 0.01 * 6 / 12)  # six semitones per second
    singles = pitch_singles(frames, contour(frames, rising))
    assert singles["pitch_trend"] == pytest.approx(6)
    assert singles["pitch_final_slope"] == pytest.approx(6)
    assert singles["pitch_shift"] == pytest.approx(6 * 0.4)  # 40 frames apart
    assert singles["pitch_rising_share"] == 1
    assert singles["voiced_share"] == 60 / frames.count
    assert singles["voiced_speech_share"] == 60 / np.count_nonzero(frames.speech)
    change = pitch_series(frames, contour(frames, rising))["pitch_change"]
    assert np.nanmean(change) == pytest.approx(6)
    assert np.count_nonzero(np.isfinite(change)) == 59


def test_a_fall_at_the_end_is_seen_there_alone(frames):
    hz = np.concatenate([np.full(60, 200.0), 200 * 2 ** (-np.arange(20) * 0.01 * 24 / 12)])
    singles = pitch_singles(frames, contour(frames, hz))
    assert singles["pitch_final_slope"] == pytest.approx(-24)
    assert -24 < singles["pitch_trend"] < 0
    assert singles["pitch_rising_share"] == 0


def test_no_change_is_taken_over_a_gap(frames):
    hz = np.concatenate([np.full(30, 100.0), np.zeros(10), np.full(30, 400.0)])
    pitch = contour(frames, hz)
    change = pitch_series(frames, pitch)["pitch_change"]
    assert change[np.isfinite(change)].tolist() == [0.0] * 58
    assert pitch_singles(frames, pitch)["pitch_shift"] == pytest.approx(24)
    assert pitch_singles(frames, pitch)["pitch_rising_share"] == 0


@pytest.mark.parametrize("voiced", [0, 1, 2])
def test_few_voiced_frames_have_finite_numbers(frames, voiced):
    singles = pitch_singles(frames, contour(frames, np.full(voiced, 150.0)))
    assert singles["pitch_trend"] == singles["pitch_shift"] == singles["pitch_final_slope"] == 0
    assert singles["voiced_share"] == voiced / frames.count


def test_series_lack_values_in_unvoiced_frames(voice):
    for name, values in pitch_series(voice.frames, voice.pitch).items():
        assert np.isnan(values[~voice.pitch.voiced]).all(), name
