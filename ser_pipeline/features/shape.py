"""Shape of the spectrum in each frame."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ser_pipeline.features.frames import BAND_HZ, Frames, band, bins_hz, decibels

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Series = dict[str, npt.NDArray[np.floating]]

CONTRAST_EDGES_HZ = (BAND_HZ[0], 200.0, 400.0, 800.0, 1600.0, 3200.0, BAND_HZ[1])
"""Edges of the contrast bands."""

CONTRAST_SHARE = 0.02
"""Share of a band's bins that make its peak, and its valley."""

SLOPES_HZ = {"slope_50_500": (50.0, 500.0), "slope_500_1500": (500.0, 1500.0)}
"""Bands whose slope is taken."""

_TINY = np.float32(np.finfo(np.float32).tiny)


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
