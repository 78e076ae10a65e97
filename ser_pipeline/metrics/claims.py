"""From intervals and p-values of a family of claims to words."""

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ser_pipeline.metrics.paired import Comparison
from ser_pipeline.metrics.scores import Floats

Verdict = Literal["holds", "does not hold", "not decidable here"]

SIGNIFICANT: Final = 0.05


def holm(p_values: npt.ArrayLike) -> Floats:
    """Correct p-values of claims that are tested together.

    The chance that any claim of the family is accepted wrongly stays below the level that the
    corrected values are compared with.

    Args:
        p_values: shape ``(claims,)``.

    Returns:
        Shape ``(claims,)``, in the order given: with ``m`` claims, the k-th smallest value becomes the
        largest of ``(m - j + 1) p_(j)`` for ``j <= k``, at most 1.

    References:
        Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
        Statistics 6, 1979.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1)


def verdict(found: Comparison, corrected_p: float, *, at_least: float = 0.0) -> Verdict:
    """Say whether a claim, that the first arm scores higher than the second, holds.

    It holds if the corrected p-value is at most 0.05, the whole interval lies above zero, and it
    reaches ``at_least``. It does not hold if the whole interval lies below ``at_least``, or none of
    it above zero. Anything else can't be decided with these clips, nor can a claim be with so few
    speakers that no p-value could reach 0.05.

    Args:
        found: difference and interval.
        corrected_p: over the family of claims, from :func:`holm`.
        at_least: difference that is claimed, as 0.02 for two points.
    """
    if found.low is None or found.high is None or 2.0 ** (1 - found.speakers) > SIGNIFICANT:
        return "not decidable here"
    if found.high < at_least or found.high <= 0:
        return "does not hold"
    return "holds" if found.low > 0 and corrected_p <= SIGNIFICANT else "not decidable here"
