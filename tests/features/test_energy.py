import librosa
import numpy as np
import pytest

from ser_pipeline.features.energy import crossing_series, energy_series, energy_singles, slope
from ser_pipeline.features.frames import frame_wave
from ser_pipeline.settings import FeatureOptions

OPTIONS = FeatureOptions()


def test_a_tone_that_fades_falls_by_its_rate(tone):
    wave = tone(300, 2.0) * 10 ** (-10 * np.arange(32_000) / 16_000 / 20)  # 10 dB per second
    frames = frame_wave(wave.astype(np.float32), OPTIONS)
    assert energy_series(frames)["level_change"] == pytest.approx(-10, abs=0.5)
    assert energy_singles(frames)["level_trend"] == pytest.approx(-10, abs=0.05)


def test_levels_of_a_sine(tone):
    frames = frame_wave(tone(1_000, amplitude=0.1), OPTIONS)
    singles = energy_singles(frames)
    assert singles["peak_level"] == pytest.approx(-20, abs=0.01)
    assert singles["clip_level"] == pytest.approx(-23.01, abs=0.01)
    assert singles["crest"] == pytest.approx(3.01, abs=0.01)
    assert energy_series(frames)["rms"] == pytest.approx(0.1 / np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize(("start", "centre"), [(0, 0.125), (6_000, 0.5), (12_000, 0.875)])
def test_energy_lies_where_the_sound_is(tone, start, centre):
    wave = np.zeros(16_000, np.float32)
    wave[start : start + 4_000] = tone(200, 0.25)
    assert energy_singles(frame_wave(wave, OPTIONS))["energy_centroid"] == pytest.approx(centre, abs=1e-3)


def test_crossings_equal_librosa(voice):
    series = crossing_series(voice.frames, voice.pitch.voiced)
    crossings = librosa.zero_crossings(voice.frames.wave, pad=False, threshold=0)
    length = voice.options.window_length
    expected = [
        crossings[start + 1 : start + length].sum() * 16_000 / length
        for start in range(0, voice.wave.size - length + 1, 160)
    ]
    assert series["zero_crossings"] == pytest.approx(expected)
    assert (np.isnan(series["zero_crossings_voiced"]) == ~voice.pitch.voiced).all()
    assert series["zero_crossings_voiced"][voice.pitch.voiced] == pytest.approx(
        np.array(expected)[voice.pitch.voiced]
    )


def test_a_tone_crosses_zero_twice_a_period(tone):
    frames = frame_wave(tone(1_003), OPTIONS)
    rate = crossing_series(frames, np.ones(frames.count, bool))["zero_crossings"]
    assert rate == pytest.approx(2_006, abs=22)


def test_silence_is_at_the_floor():
    frames = frame_wave(np.zeros(4_000, np.float32), OPTIONS)
    assert energy_singles(frames) == {
        "level_trend": 0.0, "peak_level": -120.0, "clip_level": -120.0, "crest": 0.0, "energy_centroid": 0.0,
    }  # fmt: skip
    assert not energy_series(frames)["rms"].any()
    assert not crossing_series(frames, np.zeros(frames.count, bool))["zero_crossings"].any()


def test_a_single_frame_does_not_change(rng):
    frames = frame_wave(rng.standard_normal(500).astype(np.float32), OPTIONS)
    assert energy_series(frames)["level_change"] == [0]


def test_slope_equals_numpy(rng):
    times, values = np.sort(rng.random(30)), rng.standard_normal(30)
    assert slope(times, values) == pytest.approx(np.polyfit(times, values, 1)[0])
    assert slope(times[:1], values[:1]) == slope(times[:0], values[:0]) == 0
