from concurrent.futures import ThreadPoolExecutor

import noisereduce
import numpy as np
import pytest
from numpy.testing import assert_allclose

from ser_pipeline.audio.decode import decode_file
from ser_pipeline.dsp.gate import BINS, mask_backwards, spectral_gate
from ser_pipeline.errors import AudioError

RATE = 22_050


def speechlike(rng, seconds, sample_rate=RATE):
    """Harmonics that come and go over a steady noise."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    voice = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 20))
    envelope = np.clip(np.sin(2 * np.pi * 2.3 * t), 0, None)
    return (0.1 * voice * envelope + 0.003 * rng.standard_normal(t.size)).astype(np.float32)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 2.37, 6.0])
@pytest.mark.parametrize("prop_decrease", [1.0, 0.5, 0.0])
def test_equals_noisereduce(rng, seconds, prop_decrease):
    wave = speechlike(rng, seconds)
    expected = noisereduce.reduce_noise(y=wave, sr=RATE, stationary=False, prop_decrease=prop_decrease)
    assert np.abs(spectral_gate(wave, RATE, prop_decrease=prop_decrease) - expected).max() < 1e-5


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100])
def test_equals_noisereduce_at_other_sample_rates(rng, sample_rate):
    wave = speechlike(rng, 1.0, sample_rate)
    expected = spectral_gate(wave, sample_rate, reference=True)
    assert np.abs(spectral_gate(wave, sample_rate) - expected).max() < 1e-5


@pytest.mark.parametrize("samples", [599_999, 600_000, 600_001, 625_000, 1_250_123])
def test_equals_noisereduce_where_it_works_in_chunks(rng, samples):
    wave = speechlike(rng, samples / RATE + 1)[:samples]
    assert np.abs(spectral_gate(wave, RATE) - spectral_gate(wave, RATE, reference=True)).max() < 1e-5


def test_nothing_is_taken_away_at_zero(rng):
    wave = speechlike(rng, 1.0)
    found = spectral_gate(wave, RATE, prop_decrease=0.0)
    assert_allclose(found, wave, rtol=0, atol=1e-6, equal_nan=False)


def test_steady_noise_is_reduced_more_than_a_voice(rng):
    noise = (0.01 * rng.standard_normal(4 * RATE)).astype(np.float32)
    voice = noise.copy()
    voice[40_000:50_000] += speechlike(rng, 1.0)[:10_000]
    kept = [float(np.std(spectral_gate(wave, RATE)) / np.std(wave)) for wave in (noise, voice)]
    assert kept[0] < 0.15
    assert kept[1] > 0.4


def test_digital_silence_inside_stays_finite(rng):
    wave = speechlike(rng, 2.0)
    wave[: RATE // 2] = 0
    wave[-RATE // 2 :] = 0
    assert np.isfinite(spectral_gate(wave, RATE)).all()


def test_the_input_is_left_as_it_was(rng):
    wave = speechlike(rng, 0.5)
    before = wave.copy()
    spectral_gate(wave, RATE)
    assert np.array_equal(wave, before)


@pytest.mark.parametrize("sample_rate", [4_000, 400_000])
def test_a_sample_rate_beyond_the_gate_is_refused(sample_rate):
    with pytest.raises(AudioError, match="the noise gate needs"):
        spectral_gate(np.ones(5_000, np.float32), sample_rate)


@pytest.mark.real
def test_equals_noisereduce_on_real_clips(real_data):
    clips = sorted([*real_data.glob("*/wav/*.wav"), *real_data.glob("*/Actor_*/*.flac")])[::97]
    assert clips
    for path in clips:
        wave = decode_file(path, RATE)
        assert np.abs(spectral_gate(wave, RATE) - spectral_gate(wave, RATE, reference=True)).max() < 1e-4


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 2.9, 3.0, 3.1, 4.0, 5.0, 8.0, 1e6, 1e30])
def test_the_gate_opens_by_a_logistic_curve(ratio):
    magnitude = np.full(BINS, ratio, np.float32)
    mask_backwards(magnitude, np.ones(BINS, np.float32), np.float32(0.01), 0, np.float32([1, 0, 0, 0]), 0)
    expected = 1 / (1 + np.exp(np.float64(min(700, 10 * (3 - ratio)))))
    assert magnitude == pytest.approx(expected, rel=1e-5)


def test_threads_do_not_disturb_each_other(rng):
    waves = [speechlike(rng, seconds) for seconds in (0.5, 1.0, 1.5, 2.0)] * 4
    expected = [spectral_gate(wave, RATE) for wave in waves]
    with ThreadPoolExecutor(4) as pool:
        gated = list(pool.map(lambda wave: spectral_gate(wave, RATE), waves))
    assert all(np.array_equal(one, other) for one, other in zip(gated, expected, strict=True))
