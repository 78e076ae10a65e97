"""Two arms on the same test clips: how far apart, how sure that is, and in which words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float64s
from ser_pipeline.errors import RunError
from ser_pipeline.metrics.bootstrap import RESAMPLES, SCORES, Score, drawn_scores, percentile_interval
from ser_pipeline.metrics.scores import Counts

SIGNIFICANT: Final = 0.05
PERMUTATIONS: Final = 10_000
ALL_SIGNS: Final = 12
"""Up to this many speakers every way of swapping arms is tried; with more, a sample."""

_CHUNK = 250
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Comparison:
    """One score of two arms.

    Attributes:
        first: score of the first arm, mean over its seeds.
        second: of the second.
        difference: first minus second.
        low: of the 95 % interval of the difference; None with fewer than two speakers.
        high: of the same interval.
        p: probability of a difference this far from zero if it did not matter which arm hears a speaker.
        speakers: known ones of the test clips.
        seeds: runs of the first and the second arm.
    """

    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float
    speakers: int
    seeds: tuple[int, int]

    @property
    def undecidable(self) -> bool:
        """Whether no way of swapping the arms of so few speakers could have a p-value of 0.05."""
        return 2.0 ** (1 - self.speakers) > SIGNIFICANT


def compare(
    first: Counts,
    second: Counts,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
    scores: Mapping[str, Score] = SCORES,
    truth: Callable[[Counts], Counts] = lambda counts: counts.sum(-1),
    people: int | None = None,
) -> Mapping[str, Comparison]:
    """Compare two arms by accuracy, UAR and macro-F1, or by scores of one's own.

    The interval draws speakers with replacement, the same ones for both arms, and where an arm has
    several seeds, draws of these as well: a claim is about a method, not about one start of it. With
    one seed it is about these two networks alone. The p-value swaps the arms of each speaker, with
    counts averaged over seeds.

    Args:
        first: counts by speaker of each seed, shape ``(seeds, speakers, classes, classes)``, rows true
            classes, as :func:`ser_pipeline.metrics.speaker_confusions` gives them; or sums of other columns,
            shape ``(seeds, speakers, columns)``, for scores of one's own.
        second: the same of the other arm, whose number of seeds may differ.
        seed: of all draws.
        resamples: draws of the interval.
        permutations: draws of the p-value, where not every swap is tried.
        scores: name -> score of counts of shape ``(..., classes, classes)``, or of sums.
        truth: what of counts or sums both arms must have in common: the clips, and what is true of them.
        people: known speakers of the clips; None takes each row of counts for one.

    Returns:
        Score -> comparison.

    Raises:
        RunError: the arms did not score the same clips.

    References:
        Dror et al., "The Hitchhiker's Guide to Testing Statistical Significance in NLP", ACL 2018;
        drawing in two directions: Owen and Eckles, "Bootstrapping data arrays of arbitrary order",
        Annals of Applied Statistics 6, 2012.

    Examples:
        >>> right, wrong = np.array([[2, 0], [0, 2]]), np.array([[0, 2], [2, 0]])
        >>> found = compare(np.array([[right] * 8]), np.array([[wrong] * 8]))["uar"]
        >>> found.difference, found.low, found.high, found.p
        (1.0, 1.0, 1.0, 0.0078125)
    """
    truths = [np.unique(truth(arm), axis=0) for arm in (first, second)]
    if any(len(each) != 1 for each in truths) or not np.array_equal(truths[0], truths[1]):
        raise RunError("runs that are compared must score the same clips of the same speakers")
    drawn = {
        name: values[0] - values[1]
        for name, values in drawn_scores((first, second), scores, seed=seed, resamples=resamples).items()
    }
    p_values = _p_values(first.mean(0), second.mean(0), seed, permutations, scores)
    found = {}
    for name, score in scores.items():
        one, other = (float(score(arm.sum(1)).mean()) for arm in (first, second))
        draws = drawn.get(name)
        low, high = percentile_interval(None if draws is None or not np.isfinite(draws).all() else draws)
        found[name] = Comparison(
            first=one,
            second=other,
            difference=one - other,
            low=low,
            high=high,
            p=p_values[name],
            speakers=first.shape[1] if people is None else people,
            seeds=(len(first), len(second)),
        )
    return found


def _p_values(
    first: Float64s, second: Float64s, seed: int, permutations: int, scores: Mapping[str, Score]
) -> dict[str, float]:
    """Share of swaps with a difference at least as large; ``(speakers, classes, classes)`` each."""
    speakers, every = len(first), len(first) <= ALL_SIGNS
    total, gap = first.sum(0) + second.sum(0), first - second
    rng = np.random.default_rng((seed, 1))
    swaps = 2**speakers if every else permutations
    extreme = dict.fromkeys(scores, 0)
    for start in range(0, swaps, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, swaps))
        bits = (
            numbers[:, None] >> np.arange(speakers) if every else rng.integers(0, 2, (len(numbers), speakers))
        )
        ones = (total + np.tensordot(1.0 - 2 * (bits & 1), gap, 1)) / 2  # (swaps, classes, classes)
        for name, score in scores.items():
            observed = abs(float(score(first.sum(0)) - score(second.sum(0))))
            less = np.abs(score(ones) - score(total - ones)) < observed - _ROUNDING
            extreme[name] += int((~less).sum())  # what is no number is no evidence
    # a sample must count what was observed as one of its own, else p could be zero
    return {name: (count + (not every)) / (swaps + (not every)) for name, count in extreme.items()}


Verdict = Literal["holds", "does not hold", "not decidable here"]


def holm(p_values: npt.ArrayLike) -> Float64s:
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
    if found.low is None or found.high is None or found.undecidable:
        return "not decidable here"
    if found.high < at_least or found.high <= 0:
        return "does not hold"
    return "holds" if found.low > 0 and corrected_p <= SIGNIFICANT else "not decidable here"
