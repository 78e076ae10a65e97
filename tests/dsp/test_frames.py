import numpy as np
import pytest

from ser_pipeline.dsp.frames import FLOOR_DB, band, bins_hz, frame_wave, unbroken
from ser_pipeline.dsp.mel import hann
from ser_pipeline.errors import AudioError
from ser_pipeline.options import FeatureOptions

OPTIONS = FeatureOptions()
LENGTH = OPTIONS.window_length


def test_the_window_is_three_periods_of_the_lowest_pitch():
    assert pytest.approx(3 / 65, abs=1e-4) == LENGTH / 16_000


@pytest.mark.parametrize("samples", [3_000, 90_000])  # one block, and several
def test_powers_equal_a_transform_of_each_frame(rng, samples):
    wave = rng.standard_normal(samples).astype(np.float32)
    frames = frame_wave(wave, OPTIONS)
    scaled = (wave - wave.mean(dtype=np.float64)) / frames.peak
    expected = [
        np.abs(np.fft.rfft(scaled[start : start + LENGTH] * hann(LENGTH), 1024)) ** 2
        for start in range(0, samples - LENGTH + 1, 160)
    ]
    np.testing.assert_allclose(frames.power, expected, rtol=1e-3, atol=1e-3)


def test_level_is_the_weighted_mean_square_of_the_samples(voice):
    weight = np.square(hann(LENGTH), dtype=np.float64)
    centred = voice.wave - voice.wave.mean(dtype=np.float64)
    expected = [
        10 * np.log10(np.square(centred[start : start + LENGTH]) @ weight / weight.sum())
        for start in range(0, voice.wave.size - LENGTH + 1, 160)
    ]
    assert voice.frames.level_db == pytest.approx(expected, abs=1e-3)


def test_a_full_scale_sine_has_3_db_below_zero(tone):
    assert frame_wave(tone(1_000, amplitude=1.0), OPTIONS).level_db == pytest.approx(-3.0103, abs=1e-3)


def test_gain_moves_the_level_alone(voice):
    quiet = frame_wave(voice.wave / 100, OPTIONS)
    assert quiet.level_db == pytest.approx(voice.frames.level_db - 40, abs=1e-3)
    assert quiet.peak == pytest.approx(voice.frames.peak / 100)
    np.testing.assert_allclose(quiet.power, voice.frames.power, rtol=1e-3, atol=1e-6)


def test_speech_is_what_is_near_the_loud_frames(tone):
    loud, faint, lost = tone(200, 1.0, 0.5), tone(200, 1.0, 0.03), tone(200, 1.0, 0.005)
    speech = frame_wave(np.concatenate([loud, faint, lost]), OPTIONS).speech
    assert speech[:190].all()
    assert not speech[202:].any()


@pytest.mark.parametrize("wave", [np.zeros(5_000), np.full(5_000, 0.3), np.full(5_000, 1e-42)])
def test_a_silent_or_constant_wave_has_no_power_and_no_speech(wave):
    frames = frame_wave(wave.astype(np.float32), OPTIONS)
    assert not frames.power.any()
    assert not frames.speech.any()
    assert (frames.level_db == FLOOR_DB).all()


def test_an_offset_changes_nothing(voice):
    moved = frame_wave(voice.wave + np.float32(0.25), OPTIONS)
    np.testing.assert_allclose(moved.power, voice.frames.power, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "count"), [(1, 1), (LENGTH - 1, 1), (LENGTH + 159, 1), (LENGTH + 160, 2)]
)
def test_frames_lie_wholly_inside_the_wave(rng, samples, count):
    frames = frame_wave(rng.standard_normal(samples).astype(np.float32), OPTIONS)
    assert frames.count == count == len(frames.level_db)
    assert frames.duration_s == samples / 16_000
    assert frames.hop_s == 0.01


@pytest.mark.parametrize("shape", [(0,), (2, 100)])
def test_only_a_mono_wave_has_features(shape):
    with pytest.raises(AudioError, match=r"features need a mono wave with samples, found shape \("):
        frame_wave(np.zeros(shape, np.float32), OPTIONS)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_only_finite_samples_have_features(value):
    with pytest.raises(AudioError, match="features need finite samples, found 2 others"):
        frame_wave(np.array([0, value, value], np.float32), OPTIONS)


def test_band_takes_the_bins_it_says():
    inside = bins_hz(OPTIONS)[band(OPTIONS, 50, 7_000)]
    assert inside[0] == 62.5  # bins are 15.625 Hz apart; 46.875 is too low
    assert inside[-1] == 7_000 - 15.625  # 7,000 itself is outside


@pytest.mark.parametrize(
    ("mask", "runs"), [([], []), ([0, 0], []), ([1, 1], [[0, 2]]), ([1, 0, 1, 1, 0], [[0, 1], [2, 4]])]
)
def test_runs_of_true_frames(mask, runs):
    assert unbroken(np.array(mask, bool)).tolist() == runs
