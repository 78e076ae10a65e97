"""Mel levels and the cepstral coefficients made of them."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from ser_pipeline.features.frames import BAND_HZ, Frames, decibels
from ser_pipeline.first_import import before_librosa

Float32s = npt.NDArray[np.float32]
Series = dict[str, npt.NDArray[np.floating]]

COEFFICIENTS = 20
"""MFCCs kept, from the first; coefficient 0 is the level, which the energy group has."""

MOVING = 13
"""MFCCs whose changes are kept."""

DELTA_REACH = 2
"""Frames on both sides from which a change is estimated."""


def mel_levels(frames: Frames) -> Float32s:
    """Mel bands of each frame in dB, shape ``(frames, n_mels)``."""
    options = frames.options
    filters = _filters(options.sample_rate, options.n_fft, options.n_mels)
    return decibels(frames.power @ filters).astype(np.float32, copy=False)


def mfcc_series(mels: Float32s) -> Series:
    """MFCCs and their first and second changes, each of shape ``(frames,)``.

    Args:
        mels: in dB, shape ``(frames, n_mels)``.
    """
    kept = scipy.fft.dct(mels, type=2, norm="ortho", axis=1)[:, 1 : COEFFICIENTS + 1]
    first = deltas(kept[:, :MOVING])
    second = deltas(first)
    series: Series = {f"mfcc_{i + 1:02d}": kept[:, i] for i in range(COEFFICIENTS)}
    for i in range(MOVING):
        series[f"mfcc_{i + 1:02d}_delta"] = first[:, i]
        series[f"mfcc_{i + 1:02d}_delta2"] = second[:, i]
    return series


def deltas(values: Float32s) -> Float32s:
    """Slope per frame of the line fitted to five frames, ends repeated, shape kept.

    Args:
        values: shape ``(frames, columns)``.

    Examples:
        >>> deltas(np.arange(6, dtype=np.float32)[:, None]).ravel()
        array([0.5, 0.8, 1. , 1. , 0.8, 0.5], dtype=float32)
    """
    count = len(values)
    padded = np.pad(values, ((DELTA_REACH, DELTA_REACH), (0, 0)), mode="edge")
    total = np.zeros_like(values)
    for step in range(1, DELTA_REACH + 1):
        ahead = padded[DELTA_REACH + step : DELTA_REACH + step + count]
        behind = padded[DELTA_REACH - step : DELTA_REACH - step + count]
        total += np.float32(step) * (ahead - behind)
    weight = 2 * sum(step**2 for step in range(1, DELTA_REACH + 1))
    return total / np.float32(weight)


@lru_cache(maxsize=8)
def _filters(sample_rate: int, n_fft: int, n_mels: int) -> Float32s:
    """Slaney's mel filters between the ends of the band, shape ``(1 + n_fft // 2, n_mels)``."""
    before_librosa()
    import librosa

    low, high = BAND_HZ
    filters = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=low, fmax=high)
    return np.ascontiguousarray(filters.T)
