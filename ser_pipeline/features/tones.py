"""Chroma and the tonal centroid."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ser_pipeline.features.frames import Frames
from ser_pipeline.first_import import before_librosa

Float32s = npt.NDArray[np.float32]
Series = dict[str, npt.NDArray[np.floating]]

PITCH_CLASSES = ("c", "cs", "d", "ds", "e", "f", "fs", "g", "gs", "a", "as", "b")
"""The twelve semitones from C, tuned to A4 = 440 Hz."""

_CIRCLES = ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5))
"""Turns per semitone and radius of the circles of fifths, minor thirds and major thirds."""


def tone_series(frames: Frames) -> Series:
    """Chroma and tonnetz of each frame, each of shape ``(frames,)``; zero where a frame is silent.

    References:
        Harte, Sandler & Gasser (2006), "Detecting harmonic change in musical audio".
    """
    options = frames.options
    chroma = frames.power @ _chroma_filters(options.sample_rate, options.n_fft)
    tiny = np.finfo(np.float32).tiny
    chroma /= np.maximum(chroma.max(axis=1, keepdims=True), tiny)
    share = chroma / np.maximum(chroma.sum(axis=1, keepdims=True), tiny)
    tonnetz = share @ _tonnetz_axes()
    series: Series = {f"chroma_{name}": chroma[:, i] for i, name in enumerate(PITCH_CLASSES)}
    series |= {f"tonnetz_{i + 1}": tonnetz[:, i] for i in range(tonnetz.shape[1])}
    return series


@lru_cache(maxsize=8)
def _chroma_filters(sample_rate: int, n_fft: int) -> Float32s:
    """Weight of each bin in each pitch class, shape ``(1 + n_fft // 2, 12)``."""
    before_librosa()
    import librosa

    filters = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, tuning=0.0, n_chroma=12)
    return np.ascontiguousarray(filters.T, np.float32)


@lru_cache(maxsize=1)
def _tonnetz_axes() -> Float32s:
    """Place of each pitch class on the three circles, sine then cosine, shape ``(12, 6)``."""
    semitones = np.arange(12)
    axes = [radius * turn(np.pi * rate * semitones) for rate, radius in _CIRCLES for turn in (np.sin, np.cos)]
    return np.stack(axes, axis=1).astype(np.float32)
