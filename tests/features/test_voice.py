import numpy as np
import pytest

from ser_pipeline.dsp.frames import bins_hz, decibels, frame_wave
from ser_pipeline.dsp.marks import Marks
from ser_pipeline.dsp.pitch import Pitch, track_pitch
from ser_pipeline.features.voice import (
    SINGLES,
    cepstral_prominence,
    pitch_series,
    pitch_singles,
    semitones,
    voice_series,
    voice_singles,
)
from ser_pipeline.options import FeatureOptions

OPTIONS = FeatureOptions()


def marks_of(periods, heights=None, chain=None):
    at = np.concatenate([[0.0], np.cumsum(periods)])
    heights = np.ones(at.size) if heights is None else np.asarray(heights, float)
    return Marks(at, heights, np.zeros(at.size, np.int64) if chain is None else np.asarray(chain))


def test_cycles_that_alternate_have_a_closed_jitter():
    singles = voice_singles(marks_of(np.where(np.arange(40) % 2, 102.0, 98.0)), 16_000)
    assert singles["jitter_local"] == pytest.approx(4 / 100)
    assert singles["jitter_absolute"] == pytest.approx(4 / 16_000 * 1e6)
    assert singles["jitter_rap"] == pytest.approx(2 * 4 / 3 / 100)  # 102 from (98 + 102 + 98) / 3
    assert singles["jitter_ppq5"] == pytest.approx(4 * 2 / 5 / 100)  # 102 from the mean of 3 such, 2 other
    assert singles["shimmer_local"] == singles["shimmer_db"] == singles["shimmer_apq11"] == 0


def test_amplitudes_that_alternate_have_a_closed_shimmer():
    heights = np.where(np.arange(40) % 2, 1.1, 0.9)
    singles = voice_singles(marks_of(np.full(39, 100.0), heights), 16_000)
    assert singles["shimmer_local"] == pytest.approx(0.2)
    assert singles["shimmer_db"] == pytest.approx(20 * np.log10(1.1 / 0.9))
    for width in (3, 5, 11):
        fewer = (width - 1) // 2 / width  # share of the other height around the middle
        other = fewer if width % 4 == 1 else (width + 1) // 2 / width
        assert singles[f"shimmer_apq{width}"] == pytest.approx(0.2 * other)
    assert singles["jitter_local"] == 0


def test_jitter_and_shimmer_equal_praat(voice):
    parselmouth = pytest.importorskip("parselmouth")
    from parselmouth.praat import call

    rng = np.random.default_rng(3)
    at = 0.05 + np.cumsum(rng.normal(0.008, 0.0002, 200))
    points = call("Create empty PointProcess", "made", 0, 2)
    for time in at:
        call(points, "Add point", time)
    found = voice_singles(Marks(at * 16_000, np.ones(200), np.zeros(200, np.int64)), 16_000)
    assert parselmouth.PRAAT_VERSION
    span = (0, 0, 0.0001, 0.02, 1.3)
    assert found["jitter_local"] == pytest.approx(call(points, "Get jitter (local)", *span), rel=1e-3)
    assert found["jitter_rap"] == pytest.approx(call(points, "Get jitter (rap)", *span), rel=1e-3)
    assert found["jitter_ppq5"] == pytest.approx(call(points, "Get jitter (ppq5)", *span), rel=1e-3)
    absolute = call(points, "Get jitter (local, absolute)", *span)
    assert found["jitter_absolute"] == pytest.approx(absolute * 1e6, rel=1e-3)


def test_nothing_is_compared_across_chains_or_leaps():
    periods = [100.0] * 10 + [500.0] + [120.0] * 10
    chain = [0] * 11 + [1] * 11
    singles = voice_singles(marks_of(periods, chain=chain), 16_000)
    assert singles["jitter_local"] == 0
    assert voice_singles(marks_of([100.0] * 5 + [140.0] * 5), 16_000)["jitter_local"] == 0
    heights = [1.0] * 5 + [2.0] * 6
    assert voice_singles(marks_of([100.0] * 10, heights), 16_000)["shimmer_local"] == 0


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_few_or_soundless_cycles_have_finite_numbers(count):
    singles = voice_singles(
        Marks(np.arange(count) * 100.0, np.zeros(count), np.zeros(count, np.int64)), 16_000
    )
    assert singles == pytest.approx(dict.fromkeys(SINGLES, 0.0), abs=1e-9)


def test_lone_marks_have_no_jitter():
    singles = voice_singles(Marks(np.arange(5) * 100.0, np.ones(5), np.arange(5)), 16_000)
    assert singles == dict.fromkeys(SINGLES, 0.0)


@pytest.mark.parametrize("snr_db", [5.0, 15.0])
def test_harmonics_to_noise_ratio(rng, snr_db):
    time = np.arange(32_000) / 16_000
    clean = sum(np.sin(2 * np.pi * 180 * n * time + n) / n for n in range(1, 12))
    noise = rng.standard_normal(clean.size) * np.std(clean) * 10 ** (-snr_db / 20)
    frames = frame_wave((clean + noise).astype(np.float32), OPTIONS)
    series = voice_series(frames, track_pitch(frames, 500.0), 500.0)
    assert np.nanmean(series["hnr"]) == pytest.approx(snr_db, abs=1)


def test_a_pure_voice_has_no_more_than_60_db(tone):
    frames = frame_wave(tone(200), OPTIONS)
    assert np.nanmax(voice_series(frames, track_pitch(frames, 500.0), 500.0)["hnr"]) <= 60.001


@pytest.mark.parametrize("slope_db", [-12.0, -6.0])
def test_tilt_of_harmonics_that_fall_by_the_octave(slope_db):
    time = np.arange(16_000) / 16_000
    numbers = np.arange(1, 51)
    gains = 10 ** (slope_db * np.log2(numbers) / 20)
    wave = sum(g * np.sin(2 * np.pi * 100 * n * time + n * n) for n, g in zip(numbers, gains, strict=True))
    frames = frame_wave(wave.astype(np.float32), OPTIONS)
    series = voice_series(frames, track_pitch(frames, 500.0), 500.0)
    assert np.nanmean(series["tilt"]) == pytest.approx(slope_db, abs=1)
    assert np.nanmean(series["h1_h2"]) == pytest.approx(-slope_db, abs=0.7)


def test_tilt_equals_a_weighted_fit(voice):
    series = voice_series(voice.frames, voice.pitch, 500.0)
    frame = int(np.flatnonzero(voice.pitch.voiced)[40])
    hz = bins_hz(OPTIONS)
    inside = (hz >= 100) & (hz < 5_000)
    levels = 10 * np.log10(voice.frames.power[frame, inside].astype(float))
    expected = np.polyfit(np.log2(hz[inside]), levels, 1, w=1 / np.sqrt(hz[inside]))[0]
    assert series["tilt"][frame] == pytest.approx(expected, abs=1e-3)


def test_cepstral_prominence_equals_a_plain_computation(voice):
    levels = decibels(voice.frames.power[voice.pitch.voiced])
    found = cepstral_prominence(levels, OPTIONS, 500.0)
    for frame in (5, 60, 120):
        height = 20 * np.log10(np.abs(np.fft.irfft(levels[frame].astype(np.float64))))
        lags = np.arange(16, 248)
        line = np.polyfit(lags, height[16:248], 1)
        peak = 32 + int(np.argmax(height[32:248]))
        assert found[frame] == pytest.approx(height[peak] - np.polyval(line, peak), abs=0.01)


def test_a_voice_is_more_prominent_than_noise(voice, rng):
    noise = decibels(frame_wave(rng.standard_normal(16_000).astype(np.float32), OPTIONS).power)
    voiced = decibels(voice.frames.power[voice.pitch.voiced])
    assert np.median(cepstral_prominence(voiced, OPTIONS, 500.0)) > (
        np.median(cepstral_prominence(noise, OPTIONS, 500.0)) + 5
    )


def test_unvoiced_frames_have_no_quality(voice):
    for values in voice_series(voice.frames, voice.pitch, 500.0).values():
        assert (np.isfinite(values) == voice.pitch.voiced).all()


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
