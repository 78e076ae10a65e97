"""What each part or fold of a split really got: clips, speakers, classes, genders."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from ser_pipeline.manifest.arrays import Ints
from ser_pipeline.manifest.folds import parts_for, row_places
from ser_pipeline.manifest.people import Codes, codes
from ser_pipeline.manifest.read import Manifest
from ser_pipeline.manifest.schema import EMOTION_NAMES, NO_PART
from ser_pipeline.manifest.split import Split
from ser_pipeline.records import PARTS

ALL: Final = "all"
"""Stands for all corpora together."""

Cell = str | int | float


@dataclass(frozen=True)
class Shares:
    """A table of what the sides of a split hold.

    Attributes:
        columns: headings.
        rows: one per corpus and side, all corpora together first; sides that hold nothing of a
            corpus are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def split_shares(split: Split, manifest: Manifest) -> Shares:
    """Count what each part, or each fold, holds.

    Args:
        split: made for this manifest.
        manifest: has at least ``SPLIT_COLUMNS``.
    """
    if not split.folds:
        return _shares(manifest.table, parts_for(split, manifest).astype(np.int64), PARTS, "part")
    sides = np.full(manifest.table.num_rows, NO_PART, np.int64)
    sides[row_places(split, manifest)] = split.table["fold"].to_numpy()
    return _shares(manifest.table, sides, split.folds, "fold")


def _shares(table: pa.Table, sides: Ints, names: tuple[str, ...], heading: str) -> Shares:
    corpora, genders = codes(table["corpus"]), codes(table["gender"])
    places = table["emotion_id"].to_numpy() % len(EMOTION_NAMES)  # `other` comes last
    emotions, emotion = np.unique(places, return_inverse=True)
    rows: list[tuple[Cell, ...]] = []
    several = len(corpora.names) > 1
    whole = Codes(np.zeros(len(sides), np.int64), (ALL,))
    for group in [whole, corpora] if several else [corpora]:
        place = group.of * len(names) + sides
        place[sides == NO_PART] = NO_PART
        totals = np.bincount(group.of, minlength=len(group.names))
        classes = _counts(place, emotion, len(group.names) * len(names), len(emotions))
        heard = _speakers(place, table, genders, len(group.names) * len(names))
        for number in np.flatnonzero(classes.sum(axis=1)).tolist():
            corpus, side = divmod(number, len(names))
            clips = int(classes[number].sum())
            counts = (int(heard[number].sum()), *heard[number].tolist(), *classes[number].tolist())
            share = round(clips / int(totals[corpus]), 3)
            rows.append((group.names[corpus], names[side], clips, share, *counts))
    heads = ("corpus", heading, "clips", "share", "speakers")
    return Shares((*heads, *genders.names, *(EMOTION_NAMES[number] for number in emotions)), tuple(rows))


def _counts(place: Ints, value: Ints, places: int, values: int) -> Ints:
    """Count rows by place and value; rows without a place are left out."""
    taken = place != NO_PART
    cells = place[taken] * values + value[taken]
    return np.bincount(cells, minlength=places * values).reshape(places, values)


def _speakers(place: Ints, table: pa.Table, genders: Codes, places: int) -> Ints:
    """Count speakers by place and gender."""
    speakers = codes(table["speaker_id"])
    people, first = np.unique(place * len(speakers.names) + speakers.of, return_index=True)
    del people
    return _counts(place[first], genders.of[first], places, len(genders.names))
