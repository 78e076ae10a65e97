import itertools

import numpy as np
import pytest

from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.dsp.pitch import (
    JUMP_COST,
    OCTAVE_COST,
    VOICING_COST,
    _best_path,
    autocorrelations,
    track_pitch,
)
from ser_pipeline.options import FeatureOptions

OPTIONS = FeatureOptions()


def track(wave, ceiling_hz=500.0):
    return track_pitch(frame_wave(wave.astype(np.float32), OPTIONS), ceiling_hz)


def harmonics(hz, seconds=0.5, count=10):
    time = np.arange(round(seconds * 16_000)) / 16_000
    numbers = [n for n in range(1, count + 1) if n * hz < 7_500]
    return 0.1 * sum(np.sin(2 * np.pi * n * hz * time + n) / n for n in numbers)


def cents(found, true):
    return 1_200 * np.log2(found / true)


@pytest.mark.parametrize("hz", [70, 82.4, 110, 155.5, 220, 311.7, 440, 490])
def test_a_sine_and_a_harmonic_sound_have_their_pitch(tone, hz):
    for wave in (tone(hz), harmonics(hz)):
        pitch = track(wave)
        assert pitch.voiced.all()
        assert cents(pitch.hz, hz) == pytest.approx(np.zeros(pitch.hz.size), abs=1.5)
        assert pitch.strength == pytest.approx(np.ones(pitch.hz.size), abs=0.02)


def test_a_missing_fundamental_is_heard():
    time = np.arange(8_000) / 16_000
    pitch = track(0.2 * sum(np.sin(2 * np.pi * 150 * n * time) for n in (3, 4, 5)))
    assert cents(pitch.hz, 150) == pytest.approx(0, abs=2)


def test_a_glide_is_followed():
    time = np.arange(32_000) / 16_000
    hz = 100 * 2 ** (time / 2 * 1.5)  # an octave and a half in two seconds
    pitch = track(np.sin(2 * np.pi * np.cumsum(hz) / 16_000))
    centres = np.arange(pitch.hz.size) * 160 + OPTIONS.window_length // 2
    assert cents(pitch.hz, hz[centres]) == pytest.approx(np.zeros(centres.size), abs=3)


def test_a_made_voice_is_followed_and_its_pauses_found(voice):
    true, sounds = voice.hz[voice.centres], voice.sounds[voice.centres]
    assert np.count_nonzero(voice.pitch.voiced != sounds) <= 4  # at the edges
    both = voice.pitch.voiced & sounds
    assert np.median(np.abs(cents(voice.pitch.hz[both], true[both]))) < 1.5
    assert np.abs(cents(voice.pitch.hz[both], true[both])).max() < 25


@pytest.mark.parametrize(("ceiling_hz", "expected"), [(1_000.0, 800), (500.0, 400)])
def test_a_singer_above_the_ceiling_of_speech_needs_that_of_song(ceiling_hz, expected):
    pitch = track(harmonics(800), ceiling_hz)
    assert cents(pitch.hz, expected) == pytest.approx(0, abs=2)


def test_noise_and_silence_have_no_pitch(rng):
    assert track(0.1 * rng.standard_normal(32_000)).voiced.mean() < 0.03
    assert not track(np.zeros(16_000)).voiced.any()


def test_a_pause_within_has_no_pitch():
    pitch = track(np.concatenate([harmonics(200), np.zeros(8_000), harmonics(200)]))
    assert not pitch.voiced[50:95].any()
    assert pitch.voiced[:45].all()


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_strength_tells_the_harmonics_to_noise_ratio(rng, snr_db):
    clean = harmonics(200, seconds=4.0)
    noise = rng.standard_normal(clean.size) * np.std(clean) * 10 ** (-snr_db / 20)
    strength = track(clean + noise).strength
    assert 10 * np.log10(np.median(strength / (1 - strength))) == pytest.approx(snr_db, abs=1.0)


def test_autocorrelations_equal_sums_over_the_samples(voice):
    length = OPTIONS.window_length
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    found = autocorrelations(voice.frames)
    for frame in (15, 40, 150):
        wave = voice.frames.wave[frame * 160 : frame * 160 + length].astype(np.float64)
        wave = (wave - wave.mean()) * window
        own, windows = (np.correlate(x, x, "full")[length - 1 :][:240] for x in (wave, window))
        expected = own / own[0] / (windows / windows[0])
        assert found[frame, :240] == pytest.approx(expected, abs=0.02)  # rumble is taken out of ours


def test_the_path_is_the_best_of_all_paths(rng):
    hz = np.zeros((5, 15))
    strength = np.zeros((5, 15))
    hz[:, 1:4] = rng.uniform(70, 480, (5, 3))
    strength[:, 1:4] = rng.uniform(0.3, 1, (5, 3))
    unvoiced = rng.uniform(0.3, 0.9, 5)

    def worth(path):
        own = [
            unvoiced[k] if c == 0 else strength[k, c] - OCTAVE_COST * np.log2(500 / hz[k, c])
            for k, c in enumerate(path)
        ]
        moves = itertools.pairwise(hz[k, c] for k, c in enumerate(path))
        costs = [
            VOICING_COST if (a == 0) != (b == 0) else 0 if a == 0 else JUMP_COST * abs(np.log2(a / b))
            for a, b in moves
        ]
        return sum(own) - sum(costs)

    best = max(itertools.product(range(4), repeat=5), key=worth)
    assert _best_path(hz, strength, unvoiced, 500.0, 1.0).tolist() == list(best)


def test_more_maxima_than_are_kept_leave_the_strongest():
    pitch = track(harmonics(480, count=15), 1_000.0)  # a high voice repeats within 65 Hz many times
    assert cents(pitch.hz, 480) == pytest.approx(0, abs=2)
    very_high = track_pitch(frame_wave(harmonics(1_900, count=3).astype(np.float32), OPTIONS), 2_000.0)
    assert cents(very_high.hz, 1_900) == pytest.approx(0, abs=5)
