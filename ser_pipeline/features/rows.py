"""What a row of the feature table says: what is measured, in which unit, over which frames, after whom.

A :class:`Series` is measured in every frame and gives one feature per statistic; a
:class:`Single` is measured once per clip. :mod:`ser_pipeline.features.catalogue` unfolds them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

Over = Literal["all", "speech", "voiced", "clip"]


@dataclass(frozen=True, slots=True)
class Series:
    """Something measured in every frame.

    Attributes:
        name: of the series; a feature's name is this, an underscore and the statistic.
        unit: of the values; "1" for a plain number.
        group: of features that belong together.
        over: the frames its statistics are of: all, speech, or those voiced frames that have a value.
        statistics: names in :data:`ser_pipeline.features.statistics.STATISTICS`.
        definition: of one value.
        source: publication or system the definition follows.
    """

    name: str
    unit: str
    group: str
    over: Over
    statistics: tuple[str, ...]
    definition: str
    source: str


@dataclass(frozen=True, slots=True)
class Single:
    """Something measured once per clip; its fields are as in :class:`Series`."""

    name: str
    unit: str
    group: str
    definition: str
    source: str


def numbered(row: Series, numbers: range, digits: int = 1) -> Iterator[Series]:
    """One row per number, with ``#`` in name and definition replaced by it."""
    for number in numbers:
        name = row.name.replace("#", f"{number:0{digits}d}")
        yield replace(row, name=name, definition=row.definition.replace("#", str(number)))


MEAN_STD = ("mean", "std")
SPANNED = ("mean", "std", "p10", "p90")

BOERSMA = "Boersma 1993"
GEMAPS = "Eyben et al. 2016 (GeMAPS)"
OWN = "this project"
PEETERS = "Peeters 2004"
"""Sources that several rows share; the others stand in their rows."""
