"""How honest stated probabilities are, when to answer, and how to average those of several models."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float64s, Int64s

BINS = 15

PULL_CLIPS: Final = 20.0
"""Clips that speak for equal weights beside those given: few clips say little about which model is better."""

PRIOR_CLIPS: Final = 5.0
"""Clips that are as sure as they should be, beside those given: few say little about a temperature."""

_ROUNDS: Final = 1000
_STEP: Final = 1e-9
_LEAST_LIKELY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence beside hits, by bin of confidence; bins without a clip are left out.

    Attributes:
        confidence: mean probability of the decisions, shape ``(filled bins,)``.
        accuracy: share of correct decisions, shape ``(filled bins,)``.
        clips: number of decisions, shape ``(filled bins,)``.
    """

    confidence: Float64s
    accuracy: Float64s
    clips: Int64s

    @property
    def error(self) -> float:
        """Mean gap between confidence and accuracy, weighted by clips; 0 without clips."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.clips * gaps).sum() / max(1, self.clips.sum()))


def reliability(probabilities: npt.ArrayLike, targets: npt.ArrayLike, bins: int = BINS) -> Reliability:
    """Sort decisions into equal-width bins of confidence.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1; confidence is the largest of a row.
        targets: class numbers, shape ``(clips,)``.
        bins: number of bins over (0, 1], closed on the right.

    Examples:
        >>> found = reliability([[0.75, 0.25], [0.75, 0.25]], [0, 1])
        >>> found.confidence, found.accuracy, found.clips
        (array([0.75]), array([0.5]), array([2]))
    """
    scores = np.asarray(probabilities, np.float64)
    confidence = scores.max(1)
    hit = scores.argmax(1) == np.asarray(targets)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    clips = np.bincount(place, minlength=bins)
    filled = clips > 0
    sums = (np.bincount(place, values, bins)[filled] for values in (confidence, hit))
    means, hits = (total / clips[filled] for total in sums)
    return Reliability(means, hits, clips[filled])


def expected_calibration_error(
    probabilities: npt.ArrayLike, targets: npt.ArrayLike, bins: int = BINS
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        targets: class numbers, shape ``(clips,)``.
        bins: number of bins over (0, 1], closed on the right.

    Returns:
        ``sum_b n_b / n * |accuracy_b - confidence_b|``; 0 without clips.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.

    Examples:
        >>> expected_calibration_error([[0.75, 0.25], [0.75, 0.25]], [0, 1])
        0.25
    """
    return reliability(probabilities, targets, bins).error


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Risk of the clips that are answered, at every threshold of confidence.

    Attributes:
        threshold: confidences that occur, falling, shape ``(points,)``; clips at or above are answered.
        coverage: share of clips that are answered, shape ``(points,)``; ends at 1.
        risk: share of wrong decisions among these, shape ``(points,)``; ends at 1 - accuracy.
        area: mean risk when clips are answered one after another, the surest first.
    """

    threshold: Float64s
    coverage: Float64s
    risk: Float64s
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
    """Find the confidence from which on answers are wrong no more often than wanted.

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


RANGE: Final = (0.05, 20.0)
"""Temperatures that are tried."""

_LEAST = float(np.finfo(np.float32).tiny)


def fit_temperature(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Find the temperature at which validation clips are most likely.

    :data:`PRIOR_CLIPS` clips for which 1 is the best temperature count with them.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        The temperature, in :data:`RANGE`: above 1 for a network that is too sure of itself; 1 without
        clips.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar  # takes a sixth of a second, and reports do without
    from scipy.special import log_softmax

    logits, numbers = _logits(probabilities), np.asarray(targets, np.int64)
    if len(numbers) == 0:
        return 1.0
    wanted = np.exp(log_softmax(logits, axis=1)) * PRIOR_CLIPS / len(numbers)
    wanted[np.arange(len(numbers)), numbers] += 1

    def cost(log_temperature: float) -> float:
        return float(-(wanted * log_softmax(logits / np.exp(log_temperature), axis=1)).sum())

    bounds = (float(np.log(RANGE[0])), float(np.log(RANGE[1])))
    found = minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def temper(probabilities: npt.ArrayLike, temperature: float | Float64s) -> Float64s:
    """Soften or sharpen probabilities: ``p^(1 / T)``, scaled to sum to 1.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        temperature: 1 leaves them as they are; one number, or one for each clip of shape ``(clips, 1)``.

    Examples:
        >>> temper([[0.8, 0.2]], 2.0).round(3)
        array([[0.667, 0.333]])
    """
    from scipy.special import softmax

    tempered: Float64s = softmax(_logits(probabilities) / temperature, axis=1)
    return tempered


def _logits(probabilities: npt.ArrayLike) -> Float64s:
    """Logarithms; zeros, as rounding makes them, count as the smallest normal float32."""
    logits: Float64s = np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))
    return logits


def mixture_weights(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> Float64s:
    """Weights under which the average of several models' probabilities gives the true classes most.

    The mean log probability of the true class is greatest, classes counting alike, with
    :data:`PULL_CLIPS` clips that speak for equal weights. It has one maximum, which expectation
    maximisation climbs to.

    Args:
        probabilities: of each model, shape ``(models, clips, classes)``, rows sum to 1.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        Shape ``(models,)``, none below 0, sum 1; equal without clips.

    References:
        Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", JRSS B
        1977, with a Dirichlet prior on the weights.

    Examples:
        >>> mixture_weights([[[0.9, 0.1]] * 50, [[0.5, 0.5]] * 50], [0] * 50).round(2)
        array([0.74, 0.26])
    """
    said, classes = np.asarray(probabilities, np.float64), np.asarray(targets, np.int64)
    models, clips = said.shape[:2]
    weights = np.full(models, 1 / models)
    if not clips:
        return weights
    likely = np.maximum(said[:, np.arange(clips), classes], _LEAST_LIKELY)
    counts = np.bincount(classes)
    counted = clips / (np.count_nonzero(counts) * counts[classes])
    for _ in range(_ROUNDS):
        shares = weights[:, None] * likely
        better = (shares / shares.sum(0)) @ counted + PULL_CLIPS / models
        better /= better.sum()
        done = np.abs(better - weights).max() < _STEP
        weights = better
        if done:
            break
    return weights
