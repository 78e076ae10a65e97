"""From a split to the part of every recording."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Int8s, Int64s
from ser_pipeline.errors import SplitError, some
from ser_pipeline.manifest.read import Manifest
from ser_pipeline.manifest.schema import NO_PART, PART_CODES
from ser_pipeline.records import PARTS
from ser_pipeline.splits.assign import AssignableRows, Sizes, assign_family, in_shares
from ser_pipeline.splits.leaks import check_sides
from ser_pipeline.splits.make import seeded
from ser_pipeline.splits.split import Split, row_places

TRAIN, VALIDATION, TEST = (PART_CODES[part] for part in PARTS)


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

    The recordings of a fold are its test part. The validation part consists of whole speakers of the
    rest, chosen by the split's seed, so that it is the same every time.

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
    """Groups whose speakers are assigned together, each with the fewest it needs to spare one.

    These are the families of corpora; but if none has three speakers, all of the rest is one group.
    """
    families = rows.people.families
    groups = [(name, rest & (families.of == number), 3) for number, name in enumerate(families.names)]
    groups = [group for group in groups if group[1].any()]
    units = [len(np.unique(rows.people.units.of[chosen])) for _, chosen, _ in groups]
    return groups if max(units, default=0) >= 3 else [("+".join(families.names), rest, 2)]


def _validation_sizes(share: float, smallest: int) -> Sizes:
    """How many of some speakers train, and how many validate."""

    def sizes(count: int) -> tuple[int, int]:
        validating = 0 if count < smallest else max(1, int(count * share + 0.5))
        return count - validating, validating

    return sizes
