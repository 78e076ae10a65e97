"""What is taken of a series of frames: one function for each name."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from ser_pipeline.arrays import Bools, Float64s

Statistic = Callable[[Float64s], Float64s]

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "mean": "mean",
        "std": "standard deviation",
        **{f"p{share:02d}": f"{share}th percentile" for share in (10, 25, 50, 75, 90, 98)},
        "p02": "2nd percentile",
        "range": "95th minus 5th percentile",
        "max": "maximum",
        "skewness": "skewness",
        "kurtosis": "excess kurtosis",
        "mean_abs": "mean magnitude",
        "rise": "mean of the positive values",
        "fall": "mean of the negative values",
    }
)
"""How the table words each statistic."""

UNITLESS = frozenset({"skewness", "kurtosis"})
"""Statistics that lose the unit of their series."""


def mean(values: Float64s) -> Float64s:
    """Mean of each column of ``(frames, columns)``, shape ``(columns,)``."""
    found: Float64s = values.mean(axis=0)
    return found


def std(values: Float64s) -> Float64s:
    """Standard deviation of each column, over all frames (not one less)."""
    found: Float64s = values.std(axis=0)
    return found


def percentile(values: Float64s, share: float) -> Float64s:
    """Value that ``share`` per cent of a column lie below, between the frames by a line."""
    ranked = np.sort(values, axis=0)
    place = share / 100 * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    found: Float64s = ranked[low] + (place - low) * (ranked[high] - ranked[low])
    return found


def spread(values: Float64s) -> Float64s:
    """Distance from the 5th to the 95th percentile."""
    return percentile(values, 95) - percentile(values, 5)


def largest(values: Float64s) -> Float64s:
    """Greatest value."""
    found: Float64s = values.max(axis=0)
    return found


def skewness(values: Float64s) -> Float64s:
    """Third central moment over the cube of the standard deviation; 0 for a constant."""
    return _moment(values, 3)


def kurtosis(values: Float64s) -> Float64s:
    """Fourth central moment over the squared variance, minus 3; 0 for a constant."""
    return _moment(values, 4) - np.where(_constant(values), 0.0, 3.0)


def mean_abs(values: Float64s) -> Float64s:
    """Mean magnitude."""
    return mean(np.abs(values))


def rise(values: Float64s) -> Float64s:
    """Mean of the positive values, 0 if there are none."""
    count = np.maximum((values > 0).sum(axis=0), 1)
    found: Float64s = np.maximum(values, 0).sum(axis=0) / count
    return found


def fall(values: Float64s) -> Float64s:
    """Mean of the negative values, 0 if there are none."""
    return 0.0 - rise(-values)  # not the negative zero


def _constant(values: Float64s) -> Bools:
    scale = np.maximum(np.abs(values).max(axis=0), 1e-300)
    constant: Bools = values.std(axis=0) <= 1e-9 * scale
    return constant


def _moment(values: Float64s, order: int) -> Float64s:
    flat = _constant(values)
    deviation = np.where(flat, 1.0, values.std(axis=0))
    found: Float64s = (((values - values.mean(axis=0)) / deviation) ** order).mean(axis=0)
    return np.where(flat, 0.0, found)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "mean": mean,
        "std": std,
        **{f"p{share:02d}": partial(percentile, share=share) for share in (2, 10, 25, 50, 75, 90, 98)},
        "range": spread,
        "max": largest,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "mean_abs": mean_abs,
        "rise": rise,
        "fall": fall,
    }
)
"""Each takes ``(frames, columns)`` with at least one frame and gives ``(columns,)``."""
