import librosa
import numpy as np
import pytest
import scipy.signal

from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.features.energy import (
    _peaks,
    crossing_series,
    energy_series,
    energy_singles,
    onset_strength,
    rhythm_singles,
    slope,
)
from ser_pipeline.features.spectrum import mel_levels
from ser_pipeline.options import FeatureOptions

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


def measured(wave, voiced=None, options=OPTIONS):
    frames = frame_wave(np.asarray(wave, np.float32), options)
    onsets = onset_strength(mel_levels(frames))
    return rhythm_singles(frames, onsets, np.zeros(frames.count, bool) if voiced is None else voiced), frames


def bursts(rng, period_s, seconds, length_s=0.06):
    wave = 1e-4 * rng.standard_normal(round(seconds * 16_000))
    for start in np.arange(0.1, seconds - length_s, period_s):
        first = round(start * 16_000)
        count = round(length_s * 16_000)
        wave[first : first + count] += 0.3 * rng.standard_normal(count) * np.linspace(1, 0, count)
    return wave


@pytest.mark.parametrize("bpm", [60, 90, 120, 150])
def test_bursts_have_their_tempo(rng, bpm):
    singles, _ = measured(bursts(rng, 60 / bpm, 6))
    assert singles["tempo"] == pytest.approx(bpm, rel=0.02)
    assert singles["tempo_strength"] > 0.5


@pytest.mark.parametrize("bpm", [90, 120])
def test_tempo_equals_librosa(rng, bpm):
    singles, frames = measured(bursts(rng, 60 / bpm, 6))
    onsets = onset_strength(mel_levels(frames))
    expected = librosa.feature.tempo(onset_envelope=onsets, sr=16_000, hop_length=160, start_bpm=120)
    assert singles["tempo"] == pytest.approx(expected[0], rel=0.02)


@pytest.mark.parametrize("rate", [2.0, 4.0])
def test_bursts_are_counted(rng, rate):
    singles, _ = measured(bursts(rng, 1 / rate, 5))
    assert singles["onset_rate"] == pytest.approx(rate, abs=0.25)


def test_onset_strength_equals_librosa(voice):
    mels = mel_levels(voice.frames)
    found = onset_strength(mels)
    levels = np.maximum(mels, mels.max() - 80).T
    expected = librosa.onset.onset_strength(S=levels, sr=16_000, hop_length=160, center=False)
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("rate", [2.0, 4.0, 6.0])
def test_a_voice_that_swells_has_its_syllables(tone, rate):
    time = np.arange(48_000) / 16_000
    wave = tone(200, 3.0) * (0.1 + 0.9 * np.sin(np.pi * rate * time) ** 2)
    frames = frame_wave(wave.astype(np.float32), OPTIONS)
    assert measured(wave, np.ones(frames.count, bool))[0]["syllable_rate"] == pytest.approx(rate, abs=0.35)
    assert measured(wave)[0]["syllable_rate"] == 0  # not voiced


@pytest.mark.parametrize("seed", range(6))
def test_peaks_between_dips_are_scipys(seed):
    rng = np.random.default_rng(seed)
    for length in range(1, 120):
        level = np.cumsum(rng.standard_normal(length))
        level = np.round(level) if length % 2 else level  # with level tops, and tops of one height
        edged = np.concatenate([[level.min() - 100], level, [level.min() - 100]])
        assert np.array_equal(_peaks(level, 2.0), scipy.signal.find_peaks(edged, prominence=2.0)[0] - 1)


def test_pauses_are_measured(tone):
    parts = [tone(200, 0.5), np.zeros(4_800), tone(200, 0.7), np.zeros(9_600), tone(200, 0.4)]
    singles, frames = measured(np.concatenate(parts))
    smear = OPTIONS.window_length / 16_000  # a window that touches speech is speech
    assert singles["pause_rate"] == pytest.approx(2 / 2.5)
    assert singles["pause_max"] == pytest.approx(0.6 - smear, abs=0.03)
    assert singles["pause_mean"] == pytest.approx(0.45 - smear, abs=0.03)
    assert singles["pause_share"] == pytest.approx((0.9 - 2 * smear) / 2.5, abs=0.02)
    assert singles["stretch_mean"] == pytest.approx((0.5 + 0.7 + 0.4) / 3, abs=0.06)
    assert singles["stretch_std"] == pytest.approx(np.std([0.5 - smear / 2, 0.7, 0.4 - smear / 2]), abs=0.03)
    assert singles["speech_share"] == np.mean(frames.speech)


def test_a_short_gap_and_silent_ends_are_no_pauses(tone):
    wave = np.concatenate([np.zeros(8_000), tone(200, 0.5), np.zeros(1_600), tone(200, 0.5), np.zeros(8_000)])
    singles, _ = measured(wave)
    assert singles["pause_rate"] == singles["pause_share"] == singles["pause_mean"] == 0
    assert singles["stretch_mean"] == pytest.approx(1.1, abs=0.06)
    assert singles["speech_share"] < 0.6


def test_runs_of_voice_are_measured(tone):
    frames = frame_wave(tone(200, 1.0), OPTIONS)
    voiced = np.zeros(frames.count, bool)
    voiced[5:15] = voiced[40:70] = True
    singles, _ = measured(tone(200, 1.0), voiced)
    assert singles["voiced_run_rate"] == 2
    assert singles["voiced_run_mean"] == pytest.approx(0.2)
    assert singles["voiced_run_std"] == pytest.approx(0.1)


@pytest.mark.parametrize("samples", [100, 1_600, 6_000, 16_000])
def test_a_short_or_silent_clip_has_finite_numbers(rng, samples):
    for wave in (np.zeros(samples), rng.standard_normal(samples)):
        singles, _ = measured(wave)
        assert np.isfinite(list(singles.values())).all()
    assert measured(np.zeros(samples))[0] == dict.fromkeys(singles, 0.0)


def test_no_two_beats_no_tempo(rng):
    assert measured(rng.standard_normal(7_000))[0]["tempo"] == 0


@pytest.mark.parametrize("hop_length", [1_600, 8_000])
def test_long_hops_give_finite_numbers(rng, hop_length):
    singles, _ = measured(rng.standard_normal(48_000), options=FeatureOptions(hop_length=hop_length))
    assert np.isfinite(list(singles.values())).all()
