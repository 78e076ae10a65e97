"""What is balanced when people are dealt out: clips, classes and genders of every corpus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ser_pipeline.labels import OTHER_ID
from ser_pipeline.manifest.arrays import Flags, Floats, Ints
from ser_pipeline.manifest.balance import Goods, deal
from ser_pipeline.manifest.people import People, codes, people

Sizes = Callable[[int], Sequence[int]]
"""Number of units -> units per part."""


@dataclass(frozen=True)
class Rows:
    """The rows of a manifest, as numbers.

    Attributes:
        people: who is heard in them.
        emotion: emotion id of each row.
        gender: number of each row's gender.
    """

    people: People
    emotion: Ints
    gender: Ints

    @classmethod
    def of(cls, table: pa.Table) -> "Rows":
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

    clips: Floats
    units: Floats
    filled: Flags


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


def deal_family(
    rows: Rows,
    chosen: Flags,
    sizes: Sizes,
    wanted: Callable[[int], Wanted],
    rng: np.random.Generator,
) -> Ints:
    """Deal the units of some rows out to parts, so that each corpus among them is balanced.

    Args:
        rows: all rows.
        chosen: shape ``(rows,)``, those to deal out; usually of one family of corpora.
        sizes: number of units -> units per part.
        wanted: number of units of one corpus -> what its parts should get.
        rng: for the search.

    Returns:
        Shape ``(chosen rows,)``, the part of each.
    """
    unit_codes, unit = np.unique(rows.people.units.of[chosen], return_inverse=True)
    corpus = rows.people.corpora.of[chosen]
    goods = []
    for number in np.unique(corpus).tolist():
        mine = corpus == number
        emotion, gender = rows.emotion[chosen][mine], rows.gender[chosen][mine]
        goods.append(_goods(unit[mine], emotion, gender, len(unit_codes), wanted))
    whole = Goods(
        np.concatenate([good.amounts for good in goods], axis=1),
        np.concatenate([good.shares for good in goods], axis=1),
        np.concatenate([good.weights for good in goods]),
        np.concatenate([good.needed for good in goods], axis=1),
    )
    return deal(whole, sizes(len(unit_codes)), rng)[unit]


def _goods(unit: Ints, emotion: Ints, gender: Ints, n_units: int, wanted: Callable[[int], Wanted]) -> Goods:
    """Columns of one corpus: its clips, its units, clips per class, units per gender."""
    clips = np.bincount(unit, minlength=n_units)[:, None]
    classes = _table(unit, emotion - OTHER_ID, n_units)
    genders = np.minimum(_table(unit, gender, n_units), 1)
    present = np.minimum(clips, 1)
    aim = wanted(int(present.sum()))
    n_classes, n_genders = classes.shape[1], genders.shape[1]
    amounts = np.concatenate([clips, present, classes, genders], axis=1)
    shares = np.stack([aim.clips, aim.units, *[aim.clips] * n_classes, *[aim.units] * n_genders], axis=1)
    weights = np.array([1.0, 1.0, *[1 / n_classes] * n_classes, *[1 / n_genders] * n_genders])
    enough = (amounts > 0).sum(axis=0) >= aim.filled.sum()
    return Goods(amounts, shares, weights, aim.filled[:, None] & enough[None, :])


def _table(unit: Ints, value: Ints, n_units: int) -> Ints:
    """Count rows by unit and value; only values that occur get a column."""
    _, column = np.unique(value, return_inverse=True)
    width = int(column.max()) + 1
    return np.bincount(unit * width + column, minlength=n_units * width).reshape(n_units, width)
