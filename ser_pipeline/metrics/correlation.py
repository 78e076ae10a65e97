"""How much features say the same, within speakers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ser_pipeline.metrics.scores import Floats


def rank_correlations(values: npt.ArrayLike, speakers: npt.ArrayLike) -> Floats:
    """Spearman's correlation of every two features within speakers, averaged by clips.

    Args:
        values: shape ``(clips, features)``, finite.
        speakers: names, shape ``(clips,)``.

    Returns:
        ``sum_s n_s rho_s / sum_s n_s``, shape ``(features, features)``. A speaker in whose clips a
        feature never changes is left out of that feature's means; 0 where none remains.

    References:
        Spearman, "The proof and measurement of association between two things", 1904.

    Examples:
        >>> rank_correlations([[1, 8], [2, 7], [3, 9], [11, 1], [12, 2], [13, 3]], list("aaabbb"))
        array([[1.  , 0.75],
               [0.75, 1.  ]])
    """
    table = np.asarray(values, np.float64)
    names, place = np.unique(np.asarray(speakers, object).astype(str), return_inverse=True)
    width = table.shape[1]
    total, clips = np.zeros((width, width)), np.zeros((width, width))
    for number in range(len(names)):
        ranks, varies = _standard_ranks(table[place == number])
        total += ranks.T @ ranks
        clips += len(ranks) * np.outer(varies, varies)
    return np.divide(total, clips, out=np.zeros(total.shape), where=clips > 0)


def group_correlations(correlations: Floats, groups: Sequence[str], names: Sequence[str]) -> Floats:
    """Mean absolute correlation between the features of every two groups.

    Args:
        correlations: shape ``(features, features)``.
        groups: of each feature.
        names: of the groups, in the order wanted.

    Returns:
        Shape ``(groups, groups)``; on the diagonal between different features of one group, 1 for a
        group of one.

    Examples:
        >>> group_correlations(np.array([[1.0, -0.5], [-0.5, 1.0]]), ["a", "a"], ["a"])
        array([[0.5]])
    """
    held = np.array([[group == name for group in groups] for name in names], np.float64)
    sizes = held.sum(1)
    sums = held @ np.abs(correlations) @ held.T
    own = held @ np.abs(np.diag(correlations))
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    found: Floats = np.divide(sums - np.diag(own), pairs, out=np.ones(sums.shape), where=pairs > 0)
    return found


def closest_pairs(correlations: Floats, limit: int = 20) -> list[tuple[int, int, float]]:
    """Pairs of features with the greatest absolute correlation, the greatest first.

    Returns:
        Numbers of the two features, the lower first, and their correlation.

    Examples:
        >>> closest_pairs(np.array([[1.0, 0.2, -0.9], [0.2, 1.0, 0.0], [-0.9, 0.0, 1.0]]), 1)
        [(0, 2, -0.9)]
    """
    first, second = np.triu_indices(len(correlations), 1)
    values = correlations[first, second]
    order = np.lexsort((second, first, -np.abs(values)))[:limit]
    return [(int(first[at]), int(second[at]), float(values[at])) for at in order]


def _standard_ranks(values: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Ranks with mean 0 and mean square 1, and which features vary; ties share their mean rank."""
    ranks = rankdata(values, axis=0)
    centred = ranks - ranks.mean(0)
    deviation = np.sqrt((centred**2).mean(0))
    varies: npt.NDArray[np.bool_] = deviation > 0
    standard: Floats = centred / np.where(varies, deviation, 1.0)
    return standard, varies
