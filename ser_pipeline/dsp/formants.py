"""Formants: linear prediction of each voiced frame, and the resonances it finds."""

import math
from functools import lru_cache

import numpy as np

from ser_pipeline.arrays import Bools, Complex128s, Float32s, Float64s, Series
from ser_pipeline.dsp.compiled import compiled
from ser_pipeline.dsp.frames import Frames, bins_hz, decibels
from ser_pipeline.dsp.pitch import Pitch
from ser_pipeline.options import FeatureOptions

ITERATIONS = 60
"""Most rounds of the root search; ten suffice for almost every frame."""

WHITENING = 1e-9
"""Share of the energy added as white noise, so that a pure tone can be predicted."""

FORMANTS = 4

POLES = 10
"""Two for each of the five formants expected below ``formant_ceiling_hz``."""

EMPHASIS_HZ = 50.0
"""From here on the spectrum is raised by 6 dB per octave."""

MARGIN_HZ = 50.0
"""Resonances this near to either end of the band are not formants."""


@compiled
def prediction_filters(correlation: Float64s) -> Float64s:
    """Prediction-error filters by Levinson's recursion.

    Args:
        correlation: autocorrelations from lag 0, shape ``(frames, 1 + order)``.

    Returns:
        Coefficients from 1 on, shape ``(frames, 1 + order)``; all their roots lie inside the
        unit circle.
    """
    count, width = correlation.shape
    filters = np.zeros((count, width))
    old = np.zeros(width)
    for frame in range(count):
        row = filters[frame]
        row[0] = 1.0
        error = correlation[frame, 0] * (1 + WHITENING)
        if error <= 0:
            continue
        for order in range(1, width):
            total = correlation[frame, order]
            for i in range(1, order):
                total += row[i] * correlation[frame, order - i]
            reflection = -total / error
            for i in range(1, order):
                old[i] = row[i]
            for i in range(1, order):
                row[i] = old[i] + reflection * old[order - i]
            row[order] = reflection
            error *= 1 - reflection * reflection
    return filters


@compiled
def roots(filters: Float64s) -> Complex128s:
    """All roots of each polynomial, found at once by Aberth's and Ehrlich's iteration.

    Args:
        filters: coefficients from the highest power on, the first being 1, shape ``(frames, 1 + order)``.

    Returns:
        Shape ``(frames, order)``, in no order.

    References:
        Aberth, O. (1973), "Iteration methods for finding all zeros of a polynomial simultaneously".
    """
    count, width = filters.shape
    order = width - 1
    found = np.empty((count, order), np.complex128)
    for frame in range(count):
        guess = found[frame]
        for i in range(order):  # spread inside the unit circle, off the real axis
            angle = 2 * math.pi * (i + 0.25) / order
            guess[i] = 0.9 * complex(math.cos(angle), math.sin(angle))
        for _ in range(ITERATIONS):
            if _improve(filters[frame], guess) < 1e-12:
                break
    return found


@compiled
def _improve(coefficients: Float64s, guess: Complex128s) -> float:
    """One round over all roots in place; the greatest step taken."""
    greatest = 0.0
    for i in range(guess.size):
        here = guess[i]
        value = complex(coefficients[0], 0.0)
        slope = complex(0.0, 0.0)
        for coefficient in coefficients[1:]:
            slope = slope * here + value
            value = value * here + coefficient
        repulsion = complex(0.0, 0.0)
        for j in range(guess.size):
            if j != i and guess[j] != here:
                repulsion += 1 / (here - guess[j])
        lower = slope - value * repulsion
        if lower == 0:
            continue
        step = value / lower
        guess[i] = here - step
        greatest = max(greatest, abs(step))
    return greatest


def formant_series(frames: Frames, pitch: Pitch, found: tuple[Float64s, Float64s] | None = None) -> Series:
    """Formants 1 to 4, their bandwidths and levels, and their spacing; each of shape ``(frames,)``.

    The frame's powers below ``formant_ceiling_hz`` alone, with pre-emphasis, are turned into the
    autocorrelation that a recording at twice that rate would have, and that into the poles of a
    prediction filter: selective linear prediction, for which nothing need be resampled.
    NaN in unvoiced frames, and where a frame has fewer formants.

    Args:
        frames: of the clip.
        pitch: of its frames.
        found: frequencies and bandwidths by another method, each ``(voiced frames, 4)`` in Hz.

    References:
        Makhoul, J. (1975), "Spectral linear prediction: properties and applications".
        Markel & Gray (1976), "Linear prediction of speech", for root solving.
    """
    voiced = pitch.voiced
    power = frames.power[voiced]
    if found is None:
        correlation = power.astype(np.float64) @ _cosines(frames.options)
        found = resonances(correlation, frames.options.formant_ceiling_hz)
    hz, width = found
    level = decibels(_peak_near(power, pitch.hz[voiced] / 2, hz[:, :3], frames.options))
    level -= harmonic_levels(frames, pitch, 1)[:, None]
    series: Series = {}
    for i in range(FORMANTS):
        series[f"formant_{i + 1}"] = _over_frames(voiced, hz[:, i])
        series[f"bandwidth_{i + 1}"] = _over_frames(voiced, width[:, i])
    for i in range(level.shape[1]):
        series[f"formant_{i + 1}_level"] = _over_frames(voiced, level[:, i])
    series["formant_spacing"] = _over_frames(voiced, (hz[:, 3] - hz[:, 0]) / 3)
    return series


def resonances(correlation: Float64s, ceiling_hz: float) -> tuple[Float64s, Float64s]:
    """Frequencies and bandwidths of the lowest four resonances.

    Args:
        correlation: autocorrelations at a rate of twice the ceiling, shape ``(frames, 1 + POLES)``.
        ceiling_hz: upper end of the band.

    Returns:
        Two arrays of shape ``(frames, 4)`` in Hz, frequencies rising; NaN where there are fewer.
    """
    pole = roots(prediction_filters(correlation))
    hz: Float64s
    width: Float64s
    scale = ceiling_hz / np.pi
    hz = np.where(pole.imag > 0, np.angle(pole) * scale, np.inf)
    hz[(hz < MARGIN_HZ) | (hz > ceiling_hz - MARGIN_HZ)] = np.inf
    width = -2 * scale * np.log(np.maximum(np.abs(pole), 1e-6))
    order = np.argsort(hz, axis=1)[:, :FORMANTS]
    hz, width = np.take_along_axis(hz, order, axis=1), np.take_along_axis(width, order, axis=1)
    missing = np.isinf(hz)
    hz[missing] = width[missing] = np.nan
    return hz, width


def harmonic_levels(frames: Frames, pitch: Pitch, number: int) -> Float64s:
    """Level of a harmonic in dB, on the scale of the frames' powers, shape ``(voiced frames,)``.

    The strongest bin less than a third of a harmonic away, where its neighbours do not reach.
    """
    hz = pitch.hz[pitch.voiced]
    found = _peak_near(frames.power[pitch.voiced], hz / 3, number * hz[:, None], frames.options)
    levels: Float64s = decibels(found)[:, 0]
    return levels


def _peak_near(power: Float32s, reach_hz: Float64s, hz: Float64s, options: FeatureOptions) -> Float64s:
    """Greatest power less than ``reach_hz`` from the bin of ``hz``, shape of ``hz``; NaN stays NaN."""
    size = options.sample_rate / options.n_fft
    furthest = math.ceil(options.song_ceiling_hz / size / 2)
    steps = np.arange(-furthest, furthest + 1)
    known = np.isfinite(hz)
    middle = np.rint(np.where(known, hz, 0) / size).astype(np.intp)
    index = np.clip(middle[:, :, None] + steps, 0, power.shape[1] - 1)
    near = np.abs(steps) * size < reach_hz[:, None]
    values = np.where(near[:, None, :], power[np.arange(len(power))[:, None, None], index], 0)
    return np.where(known, values.max(axis=2), np.nan)


@lru_cache(maxsize=8)
def _cosines(options: FeatureOptions) -> Float64s:
    """From powers to the band's autocorrelation at lags 0 to ``POLES``, shape ``(bins, 1 + POLES)``."""
    hz = bins_hz(options)
    rate = 2 * options.formant_ceiling_hz
    emphasis = np.exp(-2 * np.pi * EMPHASIS_HZ / rate)
    gain = 1 + emphasis**2 - 2 * emphasis * np.cos(2 * np.pi * hz / rate)
    gain[hz > options.formant_ceiling_hz] = 0
    gain[0] /= 2  # every other bin stands for its mirror image too
    cosines: Float64s = gain[:, None] * np.cos(2 * np.pi * hz[:, None] * np.arange(POLES + 1) / rate)
    return cosines


def _over_frames(voiced: Bools, values: Float64s) -> Float64s:
    whole = np.full(voiced.size, np.nan)
    whole[voiced] = values
    return whole
