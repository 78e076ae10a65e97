"""How far stated probabilities are from how often decisions are right."""

import numpy as np
import numpy.typing as npt

BINS = 15


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
    scores = np.asarray(probabilities, np.float64)
    if len(scores) == 0:
        return 0.0
    confidence = scores.max(1)
    hit = scores.argmax(1) == np.asarray(targets)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(place, hit - confidence, bins)
    return float(np.abs(gap).sum() / len(scores))
