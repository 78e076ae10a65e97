"""Permutation importance of features, and how much features say the same."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from ser_pipeline.arrays import Bools, Float64s, Floats, Int64s, Ints
from ser_pipeline.metrics.bootstrap import RESAMPLES, drawn_apart, drawn_speakers, known_among, middle

Predict = Callable[[Floats], Ints]
"""From features, shape ``(clips, features)``, to class numbers, ``(clips,)``; must not write to them."""

MAX_ROWS: Final = 8_192
"""Clips in one call of the model: 17 MB of 253 numbers each."""


@dataclass(frozen=True)
class Importance:
    """Drops of UAR, each of shape ``(sets,)``.

    Attributes:
        drop: mean over repeats.
        low: lower end of the interval over speakers and repeats, whose draws all have all classes; NaN with
            one speaker, or if one alone has clips of a class.
        high: upper end.
        spread: standard deviation of the drop over repeats.
    """

    drop: Float64s
    low: Float64s
    high: Float64s
    spread: Float64s


@dataclass(frozen=True)
class _Clips:
    """What the counting needs to know of the clips.

    Attributes:
        targets: class numbers, shape ``(clips,)``.
        cell: number of speaker and class together, shape ``(clips,)``.
        counts: clips of each speaker and class, shape ``(speakers, classes)``.
        known: which of these are somebody, shape ``(speakers,)``.
    """

    targets: Int64s
    cell: Int64s
    counts: Int64s
    known: Bools

    def hits(self, decisions: Int64s) -> Float64s:
        """Right decisions by speaker and class; ``(repeats, clips)`` -> ``(repeats, speakers, classes)``."""
        right = decisions == self.targets
        cells = self.counts.size
        place = np.arange(len(decisions))[:, None] * cells + self.cell
        found = np.bincount(place[right], minlength=len(decisions) * cells)
        return found.astype(np.float64).reshape(len(decisions), *self.counts.shape)


def permutation_importance(
    values: Floats,
    targets: npt.ArrayLike,
    speakers: npt.ArrayLike,
    predict: Predict,
    sets: Sequence[Sequence[int]],
    *,
    classes: int,
    repeats: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
    max_rows: int = MAX_ROWS,
    advance: Callable[[int], None] = lambda done: None,
) -> Importance:
    """Drop of UAR when the columns of a set are permuted among all clips.

    Columns of one set move together, so that a group of features keeps its inner order. Every set
    sees the same orders of the clips, and they cross speakers. Each draw of the interval takes
    speakers and, apart from them, repeats with replacement.

    Args:
        values: shape ``(clips, features)``.
        targets: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        predict: the model.
        sets: columns that are permuted together, one set after the other.
        classes: number of classes.
        repeats: orders that are tried for each set.
        seed: of the orders and of the draws.
        resamples: draws of the intervals.
        max_rows: clips in one call of the model.
        advance: called with 1 after each set.

    References:
        Breiman, "Random forests", Machine Learning 45, 2001, section 10; Fisher, Rudin and Dominici,
        "All models are wrong, but many are useful", JMLR 20, 2019.

    Examples:
        >>> values = np.array([[0.0, 5.0], [0.0, 6.0], [1.0, 7.0], [1.0, 8.0]])
        >>> rule = lambda table: (table[:, 0] > 0.5).astype(int)
        >>> found = permutation_importance(values, [0, 0, 1, 1], list("aabb"), rule, [[0], [1]],
        ...                                classes=2, repeats=50)
        >>> bool(found.drop[0] > 0.3), found.drop[1].item()
        (True, 0.0)
    """
    return importance_of(
        decide(predict, values, max_rows),
        lambda orders: _permuted(values, orders, sets, predict, max_rows),
        targets,
        speakers,
        classes=classes,
        repeats=repeats,
        seed=seed,
        resamples=resamples,
        advance=advance,
    )


def importance_of(
    usual: Int64s,
    permuted: Callable[[Int64s], Iterable[Int64s]],
    targets: npt.ArrayLike,
    speakers: npt.ArrayLike,
    *,
    classes: int,
    repeats: int,
    seed: int = 0,
    resamples: int = RESAMPLES,
    advance: Callable[[int], None] = lambda done: None,
) -> Importance:
    """Drop of UAR when a model decides on clips of which some part is another clip's.

    Args:
        usual: decisions on the clips as they are, shape ``(clips,)``.
        permuted: from orders of the clips, shape ``(repeats, clips)``, to the decisions on one part after the
            other, each of the same shape.
        targets: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        classes: number of classes.
        repeats: orders that are tried.
        seed: of the orders and of the draws.
        resamples: draws of the intervals, as in :func:`permutation_importance`.
        advance: called with 1 after each part.
    """
    rng = np.random.default_rng(seed)
    clips = _clips(targets, speakers, classes)
    orders = np.array([rng.permutation(len(usual)) for _ in range(repeats)])
    draws = _Draws.make(clips, repeats, resamples, rng)
    base = clips.hits(usual[None])[0]
    columns: list[tuple[float, float, float, float]] = []
    for decisions in permuted(orders):
        lost = base - clips.hits(decisions)  # (repeats, speakers, classes)
        each = _mean_recall(lost.sum(1), clips.counts.sum(0))
        columns.append((float(each.mean()), *draws.interval(lost), float(each.std())))
        advance(1)
    drop, low, high, spread = np.array(columns, np.float64).reshape(-1, 4).T
    return Importance(drop, low, high, spread)


@dataclass(frozen=True)
class _Draws:
    """Bootstrap draws that all sets share.

    Attributes:
        speakers: times each speaker is taken, shape ``(draws, speakers)``.
        repeats: share of each repeat, shape ``(draws, repeats)``.
        counts: clips of each class, shape ``(draws, classes)``.
        few: there is one speaker, or one alone has clips of a class: nothing tells how others would do.
    """

    speakers: Float64s
    repeats: Float64s
    counts: Float64s
    few: bool

    @classmethod
    def make(cls, clips: _Clips, repeats: int, resamples: int, rng: np.random.Generator) -> "_Draws":
        counts = clips.counts
        said = counts[:, counts.any(0)] > 0
        few = len(counts) < 2 or bool((said[clips.known].sum(0) < 2).any())
        taken = drawn_speakers(rng, resamples, said[:, :0] if few else said).astype(np.float64)
        shares = rng.multinomial(repeats, np.full(repeats, 1 / repeats), resamples) / repeats
        return cls(taken, shares, taken @ counts, few)

    def interval(self, lost: Float64s) -> tuple[float, float]:
        """Ends at 95 % for lost hits of shape ``(repeats, speakers, classes)``."""
        repeats, people, classes = lost.shape
        if self.few:
            return np.nan, np.nan
        flat = lost.transpose(1, 0, 2).reshape(people, repeats * classes)
        by_repeat = (self.speakers @ flat).reshape(-1, repeats, classes)
        return middle(_mean_recall(np.einsum("drc,dr->dc", by_repeat, self.repeats), self.counts))


def _clips(targets: npt.ArrayLike, speakers: npt.ArrayLike, classes: int) -> _Clips:
    labels = np.asarray(targets, np.int64)
    names, place = drawn_apart(speakers)
    cell, drawn = place * classes + labels, int(place.max(initial=-1)) + 1
    counts = np.bincount(cell, minlength=drawn * classes).reshape(drawn, classes)
    return _Clips(labels, cell, counts, known_among(names, drawn))


def _permuted(
    values: Floats, orders: Int64s, sets: Sequence[Sequence[int]], predict: Predict, max_rows: int
) -> Iterator[Int64s]:
    """Decisions of each set, shape ``(repeats, clips)``; copies of the clips fill one call."""
    rows = len(values)
    copies = max(1, min(len(orders), max_rows // max(rows, 1)))
    table = np.tile(values, (copies, 1))
    for columns in sets:
        chosen = list(columns)
        part = values[:, chosen]
        found = []
        for start in range(0, len(orders), copies):
            some = orders[start : start + copies]
            table[: some.size, chosen] = part[some.reshape(-1)]
            found.append(decide(predict, table[: some.size], max_rows).reshape(len(some), rows))
        table[:, chosen] = np.tile(part, (copies, 1))
        yield np.concatenate(found)


def decide(predict: Predict, values: Floats, max_rows: int = MAX_ROWS) -> Int64s:
    """Decisions on clips, shape ``(clips,)``, asked for at most ``max_rows`` at a time."""
    parts = [predict(values[start : start + max_rows]) for start in range(0, len(values), max_rows)]
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)


def _mean_recall(hits: Float64s, counts: Int64s | Float64s) -> Float64s:
    """Mean over the classes present of hits per clip; the last axis is the class."""
    whole = np.broadcast_to(counts, hits.shape)
    shares = np.divide(hits, whole, out=np.zeros(hits.shape), where=whole > 0)
    found: Float64s = shares.sum(-1) / np.maximum((whole > 0).sum(-1), 1)
    return found


def rank_correlations(values: npt.ArrayLike, speakers: npt.ArrayLike) -> Float64s:
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


def group_correlations(correlations: Float64s, groups: Sequence[str], names: Sequence[str]) -> Float64s:
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
    found: Float64s = np.divide(sums - np.diag(own), pairs, out=np.ones(sums.shape), where=pairs > 0)
    return found


def closest_pairs(correlations: Float64s, limit: int = 20) -> list[tuple[int, int, float]]:
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


def _standard_ranks(values: Float64s) -> tuple[Float64s, Bools]:
    """Ranks with mean 0 and mean square 1, and which features vary; ties share their mean rank."""
    ranks = rankdata(values, axis=0)
    centred = ranks - ranks.mean(0)
    deviation = np.sqrt((centred**2).mean(0))
    varies: Bools = deviation > 0
    standard: Float64s = centred / np.where(varies, deviation, 1.0)
    return standard, varies
