"""One short-time Fourier transform and one level per frame, shared by every feature."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy.fft

from ser_pipeline.arrays import Bools, Float32s, Float64s, Int64s, as_samples
from ser_pipeline.dsp.mel import hann
from ser_pipeline.errors import AudioError
from ser_pipeline.options import FeatureOptions

R = TypeVar("R", np.float32, np.float64)

FLOOR_DB = -120.0
"""Level of digital silence."""

TINY_POWER = 1e-10
"""Powers are raised to this before a logarithm: 100 dB below a full-scale constant."""

BAND_HZ = (50.0, 7000.0)
"""Band of the spectral and mel features: above rumble, and below where a recording made at 16 kHz or
brought to it fades out, which would tell corpora apart."""

SILENT_PEAK = 1e-6
"""A wave whose loudest sample, or its share of a constant offset, is below this is silent."""

_BLOCK = 256
"""Frames transformed at once: what the processor keeps near."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A wave cut into frames, with what all features need of them.

    Frame ``k`` covers the samples from ``k * hop_length`` on, ``window_length`` of them; nothing is
    padded, so no frame sees an edge that is not in the recording.

    Attributes:
        wave: without its mean, scaled to a peak of 1, shape ``(samples,)``; all zero if silent.
        peak: by which ``wave`` was divided.
        options: of the transform.
        power: squared magnitudes of Hann windows, shape ``(frames, 1 + n_fft // 2)``.
        level_db: Hann-weighted RMS in dB of full scale, shape ``(frames,)``.
        speech: frames near the level of the loud ones, shape ``(frames,)``.
    """

    wave: Float32s
    peak: float
    options: FeatureOptions
    power: Float32s
    level_db: Float64s
    speech: Bools

    @property
    def count(self) -> int:
        """Number of frames."""
        return len(self.power)

    @property
    def hop_s(self) -> float:
        """Seconds from frame to frame."""
        return self.options.hop_length / self.options.sample_rate

    @property
    def duration_s(self) -> float:
        """Seconds of the wave."""
        return self.wave.size / self.options.sample_rate


def frame_wave(wave: Float32s, options: FeatureOptions) -> Frames:
    """Cut a wave into frames and transform them.

    Args:
        wave: mono samples at ``options.sample_rate``, shape ``(samples,)``.
        options: of the transform.

    Raises:
        AudioError: ``wave`` is not 1-D, has no samples, or has some that are not finite.
    """
    wave = as_samples(wave)
    if wave.ndim != 1 or wave.size == 0:
        raise AudioError(f"features need a mono wave with samples, found shape {wave.shape}")
    if not np.isfinite(wave).all():
        raise AudioError(f"features need finite samples, found {np.count_nonzero(~np.isfinite(wave))} others")
    scaled, peak = _without_offset(wave)
    power = _power(scaled, options)
    level_db = _levels(power, peak, options)
    return Frames(scaled, peak, options, power, level_db, _speech(level_db, options.speech_db))


@lru_cache(maxsize=8)
def bins_hz(options: FeatureOptions) -> Float64s:
    """Centre of each bin of the transform in Hz, shape ``(1 + n_fft // 2,)``."""
    centres: Float64s = np.arange(options.n_fft // 2 + 1, dtype=np.float64) * (
        options.sample_rate / options.n_fft
    )
    return centres


def band(options: FeatureOptions, low_hz: float, high_hz: float) -> slice:
    """Bins whose centres lie in ``[low_hz, high_hz)``.

    Examples:
        >>> band(FeatureOptions(), 500.0, 1500.0)
        slice(32, 96, None)
    """
    low, high = np.searchsorted(bins_hz(options), [low_hz, high_hz])
    return slice(int(low), int(high))


def decibels(power: npt.NDArray[R]) -> npt.NDArray[R]:
    """Powers in dB of 1, nothing below ``10 log10 TINY_POWER``, shape and type kept.

    Examples:
        >>> decibels(np.array([1.0, 0.01, 0.0]))
        array([   0.,  -20., -100.])
    """
    levels: npt.NDArray[R] = 10 * np.log10(np.maximum(power, power.dtype.type(TINY_POWER)))
    return levels


def unbroken(mask: Bools) -> Int64s:
    """First frame and the one after the last of each run of true frames, shape ``(runs, 2)``.

    Examples:
        >>> unbroken(np.array([False, True, True, False, True]))
        array([[1, 3], [4, 5]])
    """
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    runs: Int64s = edges.reshape(-1, 2).astype(np.int64)
    return runs


def _without_offset(wave: Float32s) -> tuple[Float32s, float]:
    """Wave without its mean at a peak of 1, and the peak it had."""
    exact = wave.astype(np.float64)
    loudest = float(np.abs(exact).max())
    exact -= exact.mean()
    peak = float(np.abs(exact).max())
    if peak <= SILENT_PEAK * max(loudest, 1.0):  # a constant is silent; so is rounding's remainder of it
        return np.zeros_like(wave, dtype=np.float32), 1.0
    return (exact / peak).astype(np.float32), peak


def _power(wave: Float32s, options: FeatureOptions) -> Float32s:
    length, hop = options.window_length, options.hop_length
    if wave.size < length:  # shorter than one window: one frame, the sound in its middle
        spare = length - wave.size
        wave = np.pad(wave, (spare // 2, spare - spare // 2))
    view = np.lib.stride_tricks.sliding_window_view(wave, length)[::hop]
    power = np.empty((view.shape[0], options.n_fft // 2 + 1), np.float32)
    block = np.zeros((min(_BLOCK, view.shape[0]), options.n_fft), np.float32)
    for start in range(0, view.shape[0], _BLOCK):
        count = min(_BLOCK, view.shape[0] - start)
        np.multiply(view[start : start + count], hann(length), out=block[:count, :length])
        spectrum = scipy.fft.rfft(block[:count], axis=1)
        np.square(spectrum.real, out=power[start : start + count])
        power[start : start + count] += np.square(spectrum.imag)
    return power


def _levels(power: Float32s, peak: float, options: FeatureOptions) -> Float64s:
    """Window-weighted mean square of each frame in dB, by Parseval's theorem."""
    twice = power.sum(axis=1, dtype=np.float64) * 2 - power[:, 0] - power[:, -1]
    weight = options.n_fft * float(np.square(hann(options.window_length), dtype=np.float64).sum())
    levels: Float64s = 10 * np.log10(np.maximum(twice / weight * peak**2, 10 ** (FLOOR_DB / 10)))
    return levels


def _speech(level_db: Float64s, speech_db: float) -> Bools:
    """Frames less than ``speech_db`` below the level that one frame in twenty exceeds."""
    reference = float(np.percentile(level_db, 95))
    return (level_db > FLOOR_DB) & (level_db >= reference - speech_db)
