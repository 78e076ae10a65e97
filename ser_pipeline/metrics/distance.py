"""How far off wrong decisions are."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.metrics.scores import Counts, Floats


def mean_error_distance(confusion: npt.NDArray[np.int64], distances: npt.ArrayLike) -> float | None:
    """Mean distance of the wrong decisions.

    Args:
        confusion: counts, shape ``(classes, classes)``, rows true classes.
        distances: between classes, same shape; the diagonal is not looked at.

    Returns:
        None where no decision was wrong.

    Examples:
        >>> mean_error_distance(np.array([[5, 1], [3, 0]]), [[1.0, 0.5], [1.0, 1.0]])
        0.875
    """
    errors = confusion * (1 - np.eye(len(confusion)))
    count = errors.sum()
    return float((errors * np.asarray(distances)).sum() / count) if count else None


def error_distance(confusion: Counts, distances: npt.ArrayLike) -> Floats:
    """Mean distance of the wrong decisions, for many confusion matrices at once.

    Args:
        confusion: counts, shape ``(..., classes, classes)``, rows true classes.
        distances: between classes, shape ``(classes, classes)``; the diagonal is not looked at.

    Returns:
        Shape ``(...)``; 0 where no decision was wrong.

    Examples:
        >>> error_distance(np.array([[[5, 1], [3, 0]], [[2, 0], [0, 2]]]), [[1.0, 0.5], [1.0, 1.0]])
        array([0.875, 0.   ])
    """
    off = 1 - np.eye(confusion.shape[-1])
    counts = (confusion * off).sum((-2, -1))
    total = (confusion * off * np.asarray(distances, np.float64)).sum((-2, -1))
    found: Floats = np.divide(total, counts, out=np.zeros(counts.shape), where=counts > 0)
    return found
