"""Linear prediction: from autocorrelations to resonances."""

import math

import numpy as np
import numpy.typing as npt

from ser_pipeline.compiled import compiled

Float64s = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]

ITERATIONS = 60
"""Most rounds of the root search; ten suffice for almost every frame."""

WHITENING = 1e-9
"""Share of the energy added as white noise, so that a pure tone can be predicted."""


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
            old[:] = row
            for i in range(1, order):
                row[i] = old[i] + reflection * old[order - i]
            row[order] = reflection
            error *= 1 - reflection * reflection
    return filters


@compiled
def roots(filters: Float64s) -> Complexes:
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
def _improve(coefficients: Float64s, guess: Complexes) -> float:
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
