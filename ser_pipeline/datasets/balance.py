"""How often each training clip is drawn: rare pairs of corpus and class more often."""

from typing import Final

import numpy as np
import numpy.typing as npt

MOST: Final = 8.0
"""No clip is drawn more than this many times as often as the median, or a lone clip is learned by heart."""


def draw_chances(corpora: npt.ArrayLike, targets: npt.ArrayLike, balance: float) -> npt.NDArray[np.float64]:
    """Chance of each clip to be a draw.

    A clip of a pair (corpus, class) with ``n`` clips weighs ``n^-balance``, so that at 1 all pairs are
    drawn alike and at 0 all clips. Weights above :data:`MOST` times their median are cut to that.

    Args:
        corpora: of each clip, shape ``(clips,)``.
        targets: class numbers, shape ``(clips,)``.
        balance: in [0, 1].

    Returns:
        Shape ``(clips,)``; the sum is 1.

    Examples:
        >>> draw_chances(["a", "a", "a", "b"], [0, 0, 1, 1], 1.0).round(2)
        array([0.17, 0.17, 0.33, 0.33])
    """
    names = np.unique(np.asarray(corpora, np.str_), return_inverse=True)[1]
    numbers = np.asarray(targets, np.int64)
    cells = names * (numbers.max(initial=0) + 1) + numbers
    weights = np.bincount(cells)[cells].astype(np.float64) ** -balance
    if len(weights) == 0:
        return np.zeros(0)
    weights = np.minimum(weights, MOST * np.median(weights))
    chances: npt.NDArray[np.float64] = weights / weights.sum()
    return chances
