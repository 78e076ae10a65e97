"""From a split to the part of every recording, and what each part or fold really got."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Int8s, Int64s
from ser_pipeline.errors import SplitError, some
from ser_pipeline.manifest.read import Codes, Manifest, codes
from ser_pipeline.manifest.schema import EMOTION_NAMES, NO_PART, PART_CODES
from ser_pipeline.records import PARTS
from ser_pipeline.splits.assign import AssignableRows, Sizes, assign_family, in_shares
from ser_pipeline.splits.leaks import check_sides
from ser_pipeline.splits.make import seeded
from ser_pipeline.splits.split import Split, row_places

TRAIN, VALIDATION, TEST = (PART_CODES[part] for part in PARTS)

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


def fold_number(split: Split, fold: int | str) -> int:
    """Position of a fold, given by it or by name; a name wins over a position.

    Raises:
        SplitError: the split has no such fold, or no folds at all.
    """
    if not split.folds:
        raise SplitError(f"split {split.name} has no folds; leave out --fold {fold}")
    if fold in split.folds:
        return split.folds.index(str(fold))
    text = str(fold)
    if text.isascii() and text.isdecimal() and int(text) < len(split.folds):
        return int(text)
    raise SplitError(
        f"split {split.name} has no fold '{fold}'; valid are 0 to {len(split.folds) - 1}, "
        f"or their names: {some(list(split.folds))}"
    )


def parts_for(split: Split, manifest: Manifest, fold: int | str | None = None) -> Int8s:
    """Part of every row of the manifest.

    In a fold, its recordings are the test part, and validation is made of whole speakers of the
    rest, by the split's seed: the same every time.

    Args:
        split: made for this manifest.
        manifest: has at least ``SPLIT_COLUMNS``.
        fold: position or name of the fold; None where the split has no folds.

    Returns:
        Shape ``(rows,)``: 0 train, 1 validation, 2 test, -1 in no part.

    Raises:
        SplitError: the fold does not fit the split, or something stands on both sides.
    """
    if fold is None and split.folds:
        raise SplitError(
            f"split {split.name} has folds; choose one with --fold 0 to {len(split.folds) - 1}, or 'all'"
        )
    number = None if fold is None else fold_number(split, fold)
    where = f"split {split.name}" + ("" if number is None else f", fold {split.folds[number]}")
    places = row_places(split, manifest)
    column = pc.index_in(split.table["part"], pa.array(PARTS)) if number is None else split.table["fold"]
    parts = np.full(manifest.table.num_rows, NO_PART, np.int64)
    parts[places] = column.to_numpy()
    if number is not None:
        parts = _fold_parts(split, manifest.table, parts, number)
    check_sides(manifest.table, parts, where, speakers=not split.leaks_speakers)
    return parts.astype(np.int8)


def _fold_parts(split: Split, table: pa.Table, folds: Int64s, number: int) -> Int64s:
    rest = (folds != number) & (folds != NO_PART)
    parts = np.full(len(folds), NO_PART, np.int64)
    parts[folds == number] = TEST
    parts[rest] = TRAIN
    train, validation, _ = split.recipe.ratios
    if validation == 0:
        return parts
    rows = AssignableRows.of(table)
    name = split.folds[number]
    for group, chosen, smallest in _groups(rows, rest):
        sizes = _validation_sizes(validation / (train + validation), smallest)
        rng = seeded(split.recipe.seed, name, group)
        parts[chosen] = assign_family(rows, chosen, sizes, in_shares((train, validation), sizes), rng)
    if not (parts == VALIDATION).any():
        raise SplitError(
            f"split {split.name}, fold {name}: one speaker is left to train and validate; two are needed"
        )
    return parts


def _groups(rows: AssignableRows, rest: Bools) -> list[tuple[str, Bools, int]]:
    """Groups whose speakers are assigned together, each with the least it must have to spare one.

    These are the families of corpora; but if none has three speakers, all of the rest is one group.
    """
    families = rows.people.families
    groups = [(name, rest & (families.of == number), 3) for number, name in enumerate(families.names)]
    groups = [group for group in groups if group[1].any()]
    units = [len(np.unique(rows.people.units.of[chosen])) for _, chosen, _ in groups]
    return groups if max(units, default=0) >= 3 else [("+".join(families.names), rest, 2)]


def _validation_sizes(share: float, smallest: int) -> Sizes:
    """Speakers that train and speakers that validate, of so many."""

    def sizes(count: int) -> tuple[int, int]:
        validating = 0 if count < smallest else max(1, int(count * share + 0.5))
        return count - validating, validating

    return sizes


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


def _shares(table: pa.Table, sides: Int64s, names: tuple[str, ...], heading: str) -> Shares:
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


def _counts(place: Int64s, value: Int64s, places: int, values: int) -> Int64s:
    """Count rows by place and value; rows without a place are left out."""
    taken = place != NO_PART
    cells = place[taken] * values + value[taken]
    return np.bincount(cells, minlength=places * values).reshape(places, values)


def _speakers(place: Int64s, table: pa.Table, genders: Codes, places: int) -> Int64s:
    """Count speakers by place and gender."""
    speakers = codes(table["speaker_id"])
    people, first = np.unique(place * len(speakers.names) + speakers.of, return_index=True)
    del people
    return _counts(place[first], genders.of[first], places, len(genders.names))
