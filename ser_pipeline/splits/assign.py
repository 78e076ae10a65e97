"""Assign people to parts so that each part gets its share of clips, classes and genders.

A search over seeded assignments: many random ones, then swaps of two people for as long as a
swap makes the best of them better. Counts are whole numbers and costs are rounded before they
are compared, so every machine finds the same assignment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ser_pipeline.arrays import Bools, Float64s, Int64s
from ser_pipeline.labels import OTHER_ID
from ser_pipeline.manifest.read import codes
from ser_pipeline.splits.leaks import People, people

STARTS: Final = 128
"""Random assignments that are tried at first."""

CELLS: Final = 4_000_000
"""At most this many cells of assignments at once; bounds memory for very many people."""

SWAPS: Final = 2048
"""Swaps that are looked at in each step."""

STEPS: Final = 200
"""Steps at most; a few dozen are usual."""

TIRED: Final = 3
"""Steps without a better swap before the search ends."""

ABSENCE: Final = 10.0
"""Cost of a part that lacks something it could have; all deviations together cost less than that."""

DIGITS: Final = 9
"""Decimal places of a cost that count."""

Sizes = Callable[[int], Sequence[int]]
"""Number of units -> units per part."""


@dataclass(frozen=True)
class Goods:
    """What each speaker adds to the part they are assigned to.

    Attributes:
        amounts: shape ``(people, goods)``, how much of each good a person brings.
        shares: shape ``(parts, goods)``, the share of each good a part should get.
        weights: shape ``(goods,)``, how much a deviation from that counts.
        needed: shape ``(parts, goods)``, the part must not go without.
    """

    amounts: Int64s
    shares: Float64s
    weights: Float64s
    needed: Bools

    def cost(self, sums: Int64s, part: npt.NDArray[np.intp] | int) -> Float64s:
        """How far parts are from their shares.

        Args:
            sums: shape ``(..., goods)``, what parts have.
            part: which parts they are, one or shape ``(...)``.
        """
        totals = np.maximum(self.amounts.sum(axis=0), 1)
        deviation = self.weights * (sums / totals - self.shares[part]) ** 2
        absent = self.needed[part] & (sums == 0)
        return np.asarray(deviation.sum(axis=-1) + ABSENCE * absent.sum(axis=-1), np.float64)


@dataclass(frozen=True)
class AssignableRows:
    """The rows of a manifest, as numbers.

    Attributes:
        people: who is heard in them.
        emotion: emotion id of each row.
        gender: number of each row's gender.
    """

    people: People
    emotion: Int64s
    gender: Int64s

    @classmethod
    def of(cls, table: pa.Table) -> "AssignableRows":
        """Number the rows of a manifest; the table needs ``SPLIT_COLUMNS``."""
        emotion = table["emotion_id"].to_numpy().astype(np.int64)
        return cls(people(table), emotion, codes(table["gender"]).of)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.emotion)


@dataclass(frozen=True)
class Wanted:
    """What each part of one corpus should get.

    Attributes:
        clips: shape ``(parts,)``, share of its clips, classes and genders.
        units: shape ``(parts,)``, share of its units.
        filled: shape ``(parts,)``, the part must not go without.
    """

    clips: Float64s
    units: Float64s
    filled: Bools


def quota(count: int, ratios: Sequence[float]) -> list[int]:
    """How many of ``count`` people each part gets.

    Whole shares first, what is left to the largest remainders (in a tie to the last part, the
    test), but nobody goes without while there are enough: 1 is for training alone, 2 leave out
    validation.

    Args:
        count: people to assign.
        ratios: of train, validation and test.

    Examples:
        >>> [quota(count, (60, 20, 20)) for count in (1, 2, 3, 4, 10, 24)]
        [[1, 0, 0], [1, 0, 1], [1, 1, 1], [2, 1, 1], [6, 2, 2], [14, 5, 5]]
        >>> quota(10, (80, 0, 20))
        [8, 0, 2]
    """
    order = [part for part in (0, 2, 1) if ratios[part] > 0]
    if count <= len(order):
        return [int(part in order[:count]) for part in range(3)]
    exact = [count * ratio / sum(ratios) for ratio in ratios]
    sizes = [max(int(share), int(ratio > 0)) for share, ratio in zip(exact, ratios, strict=True)]
    while sum(sizes) < count:
        sizes[max(order, key=lambda part: (round(exact[part] - sizes[part], DIGITS), part))] += 1
    while sum(sizes) > count:
        sizes[max(order, key=lambda part: (sizes[part] > 1, sizes[part] - exact[part]))] -= 1
    return sizes


def assign(goods: Goods, sizes: Sequence[int], rng: np.random.Generator) -> Int64s:
    """Assign people to parts.

    Args:
        goods: what they bring and where it should go.
        sizes: people per part; their sum is the number of people.
        rng: where the search begins and which swaps it looks at.

    Returns:
        Shape ``(people,)``, the part of each.
    """
    labels = np.repeat(np.arange(len(sizes)), sizes)
    if np.count_nonzero(sizes) < 2:
        return labels
    starts = max(4, min(STARTS, CELLS // max(1, len(labels))))
    tried = rng.permuted(np.tile(labels, (starts, 1)), axis=1)
    costs = np.zeros(starts)
    for part in range(len(sizes)):
        costs += goods.cost((tried == part).astype(np.int64) @ goods.amounts, part)
    best = tried[int(np.argmin(costs.round(DIGITS)))]
    return _improve(goods, best, len(sizes), rng)


def _improve(goods: Goods, parts: Int64s, n_parts: int, rng: np.random.Generator) -> Int64s:
    """Swap two people of different parts for as long as that makes the parts more even."""
    sums = np.stack([goods.amounts[parts == part].sum(axis=0) for part in range(n_parts)])
    tired = 0
    for _ in range(STEPS):
        one, other = _pairs(len(parts), rng)
        apart = parts[one] != parts[other]
        one, other = one[apart], other[apart]
        if not len(one):
            break
        gain = _gains(goods, sums, parts, one, other).round(DIGITS)
        pick = int(np.argmax(gain))
        if gain[pick] <= 0:
            tired += 1
            if tired == TIRED or len(parts) ** 2 <= SWAPS:
                break
            continue
        tired = 0
        here, there = one[pick], other[pick]
        change = goods.amounts[there] - goods.amounts[here]
        sums[parts[here]] += change
        sums[parts[there]] -= change
        parts[here], parts[there] = parts[there], parts[here]
    return parts


def _pairs(count: int, rng: np.random.Generator) -> tuple[Int64s, Int64s]:
    """All pairs where they are few, else a random choice of them."""
    if count**2 <= SWAPS:
        one, other = np.triu_indices(count, 1)
        return one.astype(np.int64), other.astype(np.int64)
    chosen = rng.integers(0, count, (2, SWAPS))
    return chosen[0], chosen[1]


def _gains(goods: Goods, sums: Int64s, parts: Int64s, one: Int64s, other: Int64s) -> Float64s:
    """How much less the parts cost after each swap; shape ``(swaps,)``."""
    change = goods.amounts[other] - goods.amounts[one]
    before = np.stack([goods.cost(sums[part], part) for part in range(len(sums))])
    here, there = parts[one], parts[other]
    after = goods.cost(sums[here] + change, here) + goods.cost(sums[there] - change, there)
    return np.asarray(before[here] + before[there] - after, np.float64)


def in_shares(ratios: Sequence[float], sizes: Sizes) -> Callable[[int], Wanted]:
    """Shares by ratio, of the parts that get any of a corpus's units."""

    def wanted(count: int) -> Wanted:
        units = np.array(sizes(count), np.float64)
        clips = np.where(units > 0, ratios, 0.0)
        return Wanted(clips / clips.sum(), units / units.sum(), units > 0)

    return wanted


def evenly(parts: int) -> Callable[[int], Wanted]:
    """Equal shares, for folds."""

    def wanted(count: int) -> Wanted:
        even = np.full(parts, 1 / parts)
        return Wanted(even, even, np.full(parts, count >= parts))

    return wanted


def assign_family(
    rows: AssignableRows,
    chosen: Bools,
    sizes: Sizes,
    wanted: Callable[[int], Wanted],
    rng: np.random.Generator,
) -> Int64s:
    """Assign the units of some rows to parts, so that each corpus among them is balanced.

    Args:
        rows: all rows.
        chosen: shape ``(rows,)``, those to assign; usually of one family of corpora.
        sizes: number of units -> units per part.
        wanted: number of units of one corpus -> what its parts should get.
        rng: for the search.

    Returns:
        Shape ``(chosen rows,)``, the part of each.
    """
    units, corpora = rows.people.units.of, rows.people.corpora.of
    rank: Int64s = np.cumsum(np.bincount(units[chosen]) > 0) - 1
    unit, n_units = rank[units[chosen]], int(rank[-1]) + 1
    goods = []
    for number in np.flatnonzero(np.bincount(corpora[chosen])).tolist():
        mine = chosen & (corpora == number)
        goods.append(
            _goods(unit[mine[chosen]], rows.emotion[mine] - OTHER_ID, rows.gender[mine], n_units, wanted)
        )
    whole = Goods(
        np.concatenate([good.amounts for good in goods], axis=1),
        np.concatenate([good.shares for good in goods], axis=1),
        np.concatenate([good.weights for good in goods]),
        np.concatenate([good.needed for good in goods], axis=1),
    )
    parts: Int64s = assign(whole, sizes(n_units), rng)[unit]
    return parts


def _goods(
    unit: Int64s, emotion: Int64s, gender: Int64s, n_units: int, wanted: Callable[[int], Wanted]
) -> Goods:
    """Columns of one corpus: its clips, its units, clips per class, units per gender."""
    clips = np.bincount(unit, minlength=n_units)[:, None]
    classes = _table(unit, emotion, n_units)
    genders = np.minimum(_table(unit, gender, n_units), 1)
    present = np.minimum(clips, 1)
    aim = wanted(int(present.sum()))
    n_classes, n_genders = classes.shape[1], genders.shape[1]
    amounts = np.concatenate([clips, present, classes, genders], axis=1)
    shares = np.stack([aim.clips, aim.units, *[aim.clips] * n_classes, *[aim.units] * n_genders], axis=1)
    weights = np.array([1.0, 1.0, *[1 / n_classes] * n_classes, *[1 / n_genders] * n_genders])
    enough = (amounts > 0).sum(axis=0) >= aim.filled.sum()
    return Goods(amounts, shares, weights, aim.filled[:, None] & enough[None, :])


def _table(unit: Int64s, value: Int64s, n_units: int) -> Int64s:
    """Count rows by unit and value; only values that occur get a column."""
    width = int(value.max()) + 1
    place = unit * width
    place += value
    counts = np.bincount(place, minlength=n_units * width).reshape(n_units, width)
    there: Int64s = counts[:, counts.any(axis=0)]
    return there
