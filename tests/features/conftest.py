"""A made voice whose pitch, pauses and level are known."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats

from ser_pipeline.dsp.frames import frame_wave
from ser_pipeline.dsp.pitch import track_pitch
from ser_pipeline.options import FeatureOptions

RATE = 16_000


@dataclass
class Voice:
    """The wave, its true pitch and whether it sounds at every sample, and what is measured of it."""

    wave: np.ndarray
    hz: np.ndarray
    sounds: np.ndarray
    options: FeatureOptions

    def __post_init__(self):
        self.frames = frame_wave(self.wave, self.options)
        self.pitch = track_pitch(self.frames, self.options.pitch_ceiling_hz)
        self.centres = np.arange(self.frames.count) * 160 + self.options.window_length // 2


def make_voice(seed: int = 1) -> Voice:
    """2.4 s: two phrases of syllables around a pause of 0.35 s, a hiss, and a little noise throughout."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(2.4 * RATE)) / RATE
    hz = 150 + 60 * np.sin(2 * np.pi * 0.45 * time) + 3 * np.sin(2 * np.pi * 5 * time)
    phase = np.cumsum(hz) / RATE
    wave = np.zeros_like(time)
    for number in range(1, 26):
        harmonic = number * hz
        gain = sum(1 / (1 + ((harmonic - f) / w) ** 2) for f, w in ((600, 80), (1300, 110), (2600, 160)))
        wave += (gain + 0.02) / np.sqrt(number) * np.cos(2 * np.pi * number * phase + number)
    syllables = 0.25 + 0.75 * np.sin(2 * np.pi * 2 * time) ** 2
    voiced = ((time > 0.1) & (time < 0.9)) | ((time > 1.25) & (time < 2.1))
    edges = np.convolve(voiced, np.hanning(161) / np.hanning(161).sum(), mode="same")
    wave *= syllables * edges
    hiss = np.where((time > 2.15) & (time < 2.35), 0.3, 0.006) * rng.standard_normal(time.size)
    wave = 0.2 * (wave / np.abs(wave).max() + hiss)
    return Voice(wave.astype(np.float32), hz, voiced, FeatureOptions())


@pytest.fixture(scope="session")
def voice() -> Voice:
    return make_voice()


@pytest.fixture(scope="session")
def taken():
    """Function that takes a statistic by NumPy and SciPy: its name, the values."""
    by_name = {
        "mean": np.mean,
        "std": np.std,
        "max": np.max,
        "skewness": scipy.stats.skew,
        "kurtosis": scipy.stats.kurtosis,
        "range": lambda x: np.percentile(x, 95) - np.percentile(x, 5),
        "mean_abs": lambda x: np.mean(np.abs(x)),
        "rise": lambda x: np.mean(x[x > 0]),
        "fall": lambda x: np.mean(x[x < 0]),
    }

    def take(statistic, values):
        if statistic in by_name:
            return by_name[statistic](np.asarray(values, float))
        return np.percentile(values, int(statistic[1:]))

    return take


@pytest.fixture
def tone():
    """Function that makes a sine: frequency in Hz, duration in seconds, amplitude."""

    def make(hz, seconds=1.0, amplitude=0.5):
        time = np.arange(round(seconds * RATE)) / RATE
        return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)

    return make
