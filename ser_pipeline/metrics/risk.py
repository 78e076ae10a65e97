"""What is gained by answering only when sure: risk against coverage."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_pipeline.metrics.scores import Floats


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Risk of the clips that are answered, at every threshold of confidence.

    Attributes:
        threshold: confidences that occur, falling, shape ``(points,)``; clips at or above are answered.
        coverage: share of clips that are answered, shape ``(points,)``; ends at 1.
        risk: share of wrong decisions among these, shape ``(points,)``; ends at 1 - accuracy.
        area: mean risk when clips are answered one after another, the surest first.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats
    area: float


def risk_coverage(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> RiskCoverage:
    """Trade answers for errors.

    Args:
        probabilities: shape ``(clips, classes)``; confidence is the largest of a row.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        The curve; within equal confidence errors count as spread evenly. Without clips it has no points
        and an area of 0.

    References:
        Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017.

    Examples:
        >>> curve = risk_coverage([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]], [0, 1, 1])
        >>> curve.coverage.round(2), curve.risk.round(2), round(curve.area, 3)
        (array([0.33, 0.67, 1.  ]), array([0.  , 0.5 , 0.33]), 0.278)
    """
    scores = np.asarray(probabilities, np.float64)
    clips = len(scores)
    if clips == 0:
        return RiskCoverage(np.zeros(0), np.zeros(0), np.zeros(0), 0.0)
    confidence = scores.max(1)
    wrong = scores.argmax(1) != np.asarray(targets)
    rising, place = np.unique(confidence, return_inverse=True)
    answered = np.bincount(place)[::-1].cumsum()  # clips at or above each threshold, falling
    errors = np.bincount(place, wrong)[::-1].cumsum()
    each = np.arange(1, clips + 1)
    area = np.mean(np.interp(each, [0, *answered], [0, *errors]) / each)
    return RiskCoverage(rising[::-1], answered / clips, errors / answered, float(area))


def threshold_for_risk(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, wanted: float
) -> tuple[float, float] | None:
    """Find the confidence from which on answers are wrong at most so often.

    To be chosen on validation clips: on those it was chosen on, it looks better than it is.

    Args:
        probabilities: shape ``(clips, classes)``.
        targets: class numbers, shape ``(clips,)``.
        wanted: share of wrong decisions among those answered.

    Returns:
        Threshold and coverage, of all thresholds with that risk the one that answers most; None where
        none has it.

    Examples:
        >>> threshold_for_risk([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]], [0, 1, 1], wanted=0.4)
        (0.6, 1.0)
    """
    curve = risk_coverage(probabilities, targets)
    fits = np.flatnonzero(curve.risk <= wanted)
    return (float(curve.threshold[fits[-1]]), float(curve.coverage[fits[-1]])) if len(fits) else None
