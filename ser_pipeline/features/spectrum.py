"""The spectrum of each frame: mel levels, cepstrum, shape, chroma."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy.fft

from ser_pipeline.arrays import Float32s, Float64s, Series
from ser_pipeline.dsp.frames import BAND_HZ, Frames, band, bins_hz, decibels
from ser_pipeline.dsp.mel import mel_filters

COEFFICIENTS = 20
"""MFCCs kept, from the first; coefficient 0 is the level, which the energy group has."""

MOVING = 13
"""MFCCs whose changes are kept."""

DELTA_REACH = 2
"""Frames on both sides from which a change is estimated."""

CONTRAST_EDGES_HZ = (BAND_HZ[0], 200.0, 400.0, 800.0, 1600.0, 3200.0, BAND_HZ[1])
"""Edges of the contrast bands."""

CONTRAST_SHARE = 0.02
"""Share of a band's bins that make its peak, and its valley."""

SLOPES_HZ = {"slope_50_500": (50.0, 500.0), "slope_500_1500": (500.0, 1500.0)}
"""Bands whose slope is taken."""

_TINY = np.float32(np.finfo(np.float32).tiny)

PITCH_CLASSES = ("c", "cs", "d", "ds", "e", "f", "fs", "g", "gs", "a", "as", "b")
"""The twelve semitones from C, tuned to A4 = 440 Hz."""

_CIRCLES = ((7 / 6, 1.0), (3 / 2, 1.0), (2 / 3, 0.5))
"""Turns per semitone and radius of the circles of fifths, minor thirds and major thirds."""


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
    return np.ascontiguousarray(mel_filters(sample_rate, n_fft, n_mels, *BAND_HZ).T)


def shape_series(frames: Frames) -> Series:
    """Every spectral contour, each of shape ``(frames,)``; all zero where a frame is silent.

    References:
        Peeters (2004), "A large set of audio features", for the moments; Eyben et al. (2016),
        "The Geneva minimalistic acoustic parameter set", for slopes, alpha ratio and Hammarberg
        index; Jiang et al. (2002) for the contrast.
    """
    options = frames.options
    inside = band(options, *BAND_HZ)
    hz = bins_hz(options)[inside]
    power = np.ascontiguousarray(frames.power[:, inside])
    levels = decibels(power).astype(np.float32, copy=False)
    magnitude = np.sqrt(power)
    return {
        **_moments(magnitude, hz),
        **_spread(power, levels, hz),
        **_balance(power, levels, hz),
        **_contrast(power, hz),
        "flux": _flux(magnitude),
    }


def _moments(magnitude: Float32s, hz: Float64s) -> Series:
    """Centroid, bandwidth, skewness and kurtosis of the magnitudes as a distribution."""
    unit = hz / BAND_HZ[1]
    raw = magnitude.astype(np.float64) @ np.stack([unit**power for power in range(5)], axis=1)
    raw /= np.maximum(raw[:, :1], _TINY)
    first, second, third, fourth = raw[:, 1], raw[:, 2], raw[:, 3], raw[:, 4]
    variance = np.maximum(second - first**2, 0)
    cubed = third - 3 * first * second + 2 * first**3
    quartic = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    safe = np.where(variance > 1e-12, variance, np.inf)
    return {
        "centroid": first * BAND_HZ[1],
        "bandwidth": np.sqrt(variance) * BAND_HZ[1],
        "spectral_skewness": cubed / safe**1.5,
        "spectral_kurtosis": quartic / safe**2,
    }


def _spread(power: Float32s, levels: Float32s, hz: Float64s) -> Series:
    """How the power is spread: two roll-offs, flatness, entropy."""
    running = np.cumsum(power, axis=1)
    total = running[:, -1]
    safe = np.maximum(total, _TINY)
    mean_log2 = np.einsum("ij,ij->i", power, levels) / (np.float32(10 * np.log10(2)) * safe)
    entropy = (np.log2(safe) - mean_log2) / np.log2(power.shape[1])
    sounding = total > 0
    return {
        "rolloff_25": np.where(sounding, hz[np.argmax(running >= 0.25 * total[:, None], axis=1)], 0),
        "rolloff_85": np.where(sounding, hz[np.argmax(running >= 0.85 * total[:, None], axis=1)], 0),
        "flatness": levels.mean(axis=1) - decibels(total / power.shape[1]),
        "entropy": np.where(sounding, np.clip(entropy, 0, 1), 0),
    }


def _balance(power: Float32s, levels: Float32s, hz: Float64s) -> Series:
    """Low against high: slopes, alpha ratio, Hammarberg index."""
    low, high = _within(hz, 50, 1000), _within(hz, 1000, 5000)
    first, second = _within(hz, 0, 2000), _within(hz, 2000, 5000)
    series: Series = {}
    for name, edges in SLOPES_HZ.items():
        inside = _within(hz, *edges)
        khz = hz[inside] / 1000
        centred = khz - khz.mean()
        series[name] = levels[:, inside] @ (centred / np.square(centred).sum()).astype(np.float32)
    series["alpha_ratio"] = decibels(power[:, high].sum(axis=1)) - decibels(power[:, low].sum(axis=1))
    series["hammarberg"] = levels[:, first].max(axis=1) - levels[:, second].max(axis=1)
    return series


def _contrast(power: Float32s, hz: Float64s) -> Series:
    """Peaks over valleys in each band, in dB."""
    series: Series = {}
    for number, edges in enumerate(pairwise(CONTRAST_EDGES_HZ), start=1):
        ranked = np.sort(power[:, _within(hz, *edges)], axis=1)
        kept = max(1, round(CONTRAST_SHARE * ranked.shape[1]))
        peak, valley = ranked[:, -kept:].mean(axis=1), ranked[:, :kept].mean(axis=1)
        series[f"contrast_{number}"] = decibels(peak) - decibels(valley)
    return series


def _within(hz: Float64s, low_hz: float, high_hz: float) -> slice:
    low, high = np.searchsorted(hz, [low_hz, high_hz])
    return slice(int(low), int(high))


def _flux(magnitude: Float32s) -> Float32s:
    """Distance of each frame's unit spectrum from the one before; the first repeats the second."""
    norm = np.sqrt(np.einsum("ij,ij->i", magnitude, magnitude))
    unit = magnitude / np.maximum(norm, _TINY)[:, None]
    moved = np.diff(unit, axis=0)
    flux = np.zeros(len(magnitude), np.float32)
    flux[1:] = np.sqrt(np.einsum("ij,ij->i", moved, moved))
    flux[0] = flux[min(1, flux.size - 1)]
    return flux


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
    """Weight of each bin in each pitch class, shape ``(1 + n_fft // 2, 12)``.

    A bump around the bin's pitch, as wide as the step to the next bin and at least a semitone, times a wide
    one around the fifth octave. The same numbers as ``librosa.filters.chroma``; made here because librosa
    compiles for eight seconds when it is first imported.
    """
    hz = np.linspace(0, sample_rate, n_fft, endpoint=False)[1:]
    pitch = 12 * np.log2(hz / (440.0 / 16))  # in semitones above the A that is four octaves below 440 Hz
    pitch = np.concatenate([[pitch[0] - 18], pitch])  # 0 Hz: an octave and a half below the first bin
    width = np.concatenate([np.maximum(np.diff(pitch), 1), [1]])
    away = np.remainder(np.subtract.outer(np.arange(12), pitch) * -1.0 + 126, 12) - 6
    weights = np.exp(-0.5 * (2 * away / width) ** 2)
    weights /= np.sqrt(np.sum(weights**2, axis=0))
    weights *= np.exp(-0.5 * ((pitch / 12 - 5) / 2) ** 2)
    from_c = np.roll(weights, -3, axis=0)[:, : 1 + n_fft // 2]
    return np.ascontiguousarray(from_c.T, np.float32)


@lru_cache(maxsize=1)
def _tonnetz_axes() -> Float32s:
    """Place of each pitch class on the three circles, sine then cosine, shape ``(12, 6)``."""
    semitones = np.arange(12)
    axes = [radius * turn(np.pi * rate * semitones) for rate, radius in _CIRCLES for turn in (np.sin, np.cos)]
    return np.stack(axes, axis=1).astype(np.float32)
