"""How far off wrong decisions are."""

import numpy as np
import numpy.typing as npt


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
