"""One number that makes stated probabilities honest, without changing a decision."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from ser_pipeline.metrics.calibration import expected_calibration_error
from ser_pipeline.metrics.scores import Floats

RANGE: Final = (0.05, 20.0)
"""Temperatures that are tried."""

_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What tempering does to some clips.

    Attributes:
        temperature: fitted on validation clips.
        ece_before: expected calibration error of the clips as they were.
        ece_after: the same, tempered.
    """

    temperature: float
    ece_before: float
    ece_after: float


def fit_temperature(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Find the temperature at which validation clips are most likely.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        The temperature, in :data:`RANGE`: above 1 for a network that is too sure of itself; 1 without
        clips.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    logits, numbers = _logits(probabilities), np.asarray(targets, np.int64)
    if len(numbers) == 0:
        return 1.0
    rows = np.arange(len(numbers))

    def cost(log_temperature: float) -> float:
        return float(-log_softmax(logits / np.exp(log_temperature), axis=1)[rows, numbers].mean())

    bounds = (float(np.log(RANGE[0])), float(np.log(RANGE[1])))
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def temper(probabilities: npt.ArrayLike, temperature: float | Floats) -> Floats:
    """Soften or sharpen probabilities: ``p^(1 / T)``, scaled to sum to 1.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        temperature: 1 leaves them as they are; one number, or one for each clip of shape ``(clips, 1)``.

    Examples:
        >>> temper([[0.8, 0.2]], 2.0).round(3)
        array([[0.667, 0.333]])
    """
    tempered: Floats = softmax(_logits(probabilities) / temperature, axis=1)
    return tempered


def calibrate(probabilities: npt.ArrayLike, targets: npt.ArrayLike, temperature: float) -> Calibration:
    """Measure what a temperature does to clips that it was not fitted on.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        targets: class numbers, shape ``(clips,)``.
        temperature: from :func:`fit_temperature` on other clips.
    """
    before = expected_calibration_error(probabilities, targets)
    return Calibration(
        temperature, before, expected_calibration_error(temper(probabilities, temperature), targets)
    )


def _logits(probabilities: npt.ArrayLike) -> Floats:
    """Logarithms; zeros, as rounding makes them, count as the smallest normal float32."""
    logits: Floats = np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))
    return logits
