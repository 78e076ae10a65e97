"""Read published parts or folds from a table, as from the manifest's own columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Int64s
from ser_pipeline.corpora.tables import read_any
from ser_pipeline.corpora.values import PART_OF
from ser_pipeline.errors import CorpusError, SplitError, some
from ser_pipeline.manifest.read import Manifest, codes
from ser_pipeline.manifest.schema import NO_PART, PART_CODES
from ser_pipeline.records import MAX_FOLDS, names_nobody
from ser_pipeline.splits.leaks import SIDES, SPLIT_COLUMNS, check_sides, on_both_sides
from ser_pipeline.splits.make import KINDS
from ser_pipeline.splits.split import (
    PUBLISHED,
    Split,
    SplitRecipe,
    checked_name,
    fold_rows,
    part_rows,
)
from ser_pipeline.tables.cells import plural

IMPORT_COLUMNS: Final = (*SPLIT_COLUMNS, *SIDES, "path", "start_s")
"""Columns of the manifest that an import needs, and those of published parts, which messages point to."""

SUFFIX: Final = r"\.[A-Za-z0-9]{1,5}$"


@dataclass(frozen=True)
class Import:
    """A split that was read, and what did not match.

    Attributes:
        split: not yet written.
        unknown: names in the file that the manifest does not have.
        missing: utterance ids of the manifest that the file does not name.
        unread: the other column of sides, where the file fills both; "" where it does not.
    """

    split: Split
    unknown: list[str]
    missing: list[str]
    unread: str = ""


def import_split(
    manifest: Manifest,
    source: Path,
    name: str,
    *,
    column: str | None = None,
    seed: int = 0,
    allow_leaks: bool = False,
) -> Import:
    """Read published parts or folds.

    The file is CSV, JSON lines (``.jsonl``, ``.ndjson`` or ``.json``) or Parquet; the manifest itself is one,
    which holds the parts and folds that corpora publish. It has a column ``utterance_id`` or ``path``, and a
    column ``part`` or ``fold``. A path is one of the manifest or the
    corpus's official one, whatever its suffix; segments of a recording are named by their ids.

    Args:
        manifest: has at least ``IMPORT_COLUMNS``.
        source: the file.
        name: of the split to be.
        column: ``part`` or ``fold``; None takes the folds if the file has both.
        seed: of the validation speakers of folds.
        allow_leaks: accept speakers on both sides; the split says so from then on.

    Raises:
        SplitError: the file cannot be read, names nothing of the manifest, or leaks.
    """
    if name in KINDS:
        raise SplitError(
            f"'{name}' is a split that 'ser' makes itself; choose another name for published ones"
        )
    names, sides_by_column = _columns(_rows(source), source, column)
    column, values = next(iter(sides_by_column.items()))
    given = [value != "" for value in values]  # a manifest has a row for recordings in no part, too
    names, values = names.filter(pa.array(given)), [value for value in values if value]
    places = _places(manifest.table, names, source)
    found = places >= 0
    if not found.any():
        raise SplitError(f"{source}: none of its names are in the manifest: {some(names.to_pylist())}")
    values = [value for value, known in zip(values, found.tolist(), strict=True) if known]
    sides, folds = _folds(values, source) if column == "fold" else (_parts(values, source), ())
    spread = np.full(manifest.table.num_rows, NO_PART, np.int64)
    spread[places[found]] = sides
    leaks = _leaks(manifest.table, spread, source, allow_leaks)
    split = _split(manifest, spread, folds, checked_name(name), seed, leaks, source)
    missing = manifest.table["utterance_id"].filter(pa.array(spread == NO_PART)).to_pylist()
    unread = "".join([*sides_by_column][1:])
    return Import(split.sealed(), names.filter(pa.array(~found)).to_pylist(), missing, unread)


def _rows(source: Path) -> dict[str, list[str]]:
    """Columns of the file, as text; a blank or missing value is empty.

    Raises:
        SplitError: the file cannot be read.
    """
    try:
        lines = [line for _, line in read_any(source)]
    except CorpusError as error:
        raise SplitError(
            f"{source}: {error}; columns utterance_id or path, and part or fold, are needed"
        ) from None
    return {column: [line[column].strip() for line in lines] for column in lines[0]}


def _columns(
    rows: Mapping[str, list[str]], source: Path, column: str | None
) -> tuple[pa.Array, dict[str, list[str]]]:
    """Names, and the columns of sides that are filled, the one to read first."""
    key = next((name for name in ("utterance_id", "path") if name in rows), None)
    sides = [name for name in ("fold", "part") if any(rows.get(name, ()))]
    if key is None or not sides:
        raise SplitError(
            f"{source}: has columns {some(list(rows))}; utterance_id or path, and part or fold, are needed"
        )
    if column is not None and column not in sides:
        raise SplitError(f"{source}: no row has a {column}; its column {sides[0]!r} is filled")
    sides.sort(key=lambda name: name != (column or "fold"))
    return pa.array(rows[key], pa.string()), {name: rows[name] for name in sides}


def _places(table: pa.Table, names: pa.Array, source: Path) -> Int64s:
    """Row of the manifest for each name, -1 if there is none."""
    ids = table["utterance_id"].combine_chunks()
    plain = pc.replace_substring_regex(pc.replace_substring(names, "\\", "/"), r"^\./", "")
    bare = pc.replace_substring_regex(plain, SUFFIX, "")
    paths = pc.replace_substring_regex(table["path"].combine_chunks(), SUFFIX, "")
    paths = pc.if_else(table["start_s"].combine_chunks().is_null(), paths, None)
    official = pc.replace_substring_regex(ids, "^[^/]*/", "")
    counts = pc.value_counts(official)
    several = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    once = pc.if_else(pc.is_in(official, several), None, official)
    places = pc.coalesce(
        pc.index_in(names, ids), pc.index_in(plain, once), pc.index_in(bare, paths), pc.index_in(bare, once)
    )
    meant = pa.chunked_array([each.filter(places.is_null()) for each in (plain, bare)])
    unsure = ids.filter(pc.is_in(official, several.filter(pc.is_in(several, meant))))
    if len(unsure):
        raise SplitError(
            f"{source}: names recordings of which there are several: {some(unsure.to_pylist())}; give their "
            "ids in a column utterance_id"
        )
    found = np.asarray(places.fill_null(-1), np.int64)
    rows, counts = np.unique(found[found >= 0], return_counts=True)
    twice = rows[counts > 1]
    if len(twice):
        raise SplitError(f"{source}: names a recording more than once: {some(ids.take(twice).to_pylist())}")
    return found


def _parts(values: Sequence[str], source: Path) -> Int64s:
    odd = sorted({value for value in values if value.lower() not in PART_OF})
    if odd:
        shown = some([repr(value) for value in odd])
        raise SplitError(f"{source}: parts {shown} do not exist; valid are {', '.join(PART_OF)}")
    return np.array([PART_CODES[PART_OF[value.lower()]] for value in values], np.int64)


def _folds(values: Sequence[str], source: Path) -> tuple[Int64s, tuple[str, ...]]:
    """Number the folds, in the order of their numbers if all have one, else of their names."""
    names = set(values)
    numbers = all(name.isascii() and name.isdecimal() for name in names)
    folds = tuple(sorted(names, key=int if numbers else None))
    if not 2 <= len(folds) <= MAX_FOLDS:
        raise SplitError(f"{source}: has {plural(len(folds), 'fold')} here; 2 to {MAX_FOLDS} are possible")
    position = {name: number for number, name in enumerate(folds)}
    return np.array([position[value] for value in values], np.int64), folds


def _leaks(table: pa.Table, sides: Int64s, source: Path, allowed: bool) -> str:
    """Who stands on both sides, in a sentence, where that is allowed; "" for nobody."""
    check_sides(table, sides, str(source), speakers=False)
    torn = on_both_sides(codes(table["speaker_id"]), sides)
    if torn and not allowed and all(map(names_nobody, torn)):
        raise SplitError(
            f"{source}: has recordings in more than one part that do not say who speaks ({some(torn)}), so "
            "it is not known whether people are in both; pass --leaks-speakers to accept it; its scores are "
            "then marked as not valid for new speakers"
        )
    if torn and not allowed:
        raise SplitError(
            f"{source}: puts {plural(len(torn), 'speaker')} into more than one part: {some(torn)}; "
            "pass --leaks-speakers to accept it; its scores are then marked as not valid for new speakers"
        )
    if not torn:
        return ""
    who = "The same people speak in training and test, so its"
    if all(map(names_nobody, torn)):
        who = "It is not known whether the same people speak in training and test; its"
    return f" {who} scores do not hold for new speakers."


def _split(
    manifest: Manifest, sides: Int64s, folds: tuple[str, ...], name: str, seed: int, leaks: str, source: Path
) -> Split:
    taken = pa.array(sides != NO_PART)
    ids = manifest.table["utterance_id"].filter(taken)
    values = sides[sides != NO_PART]
    note = f"Published {'folds' if folds else 'parts'}, read from {source.name}."
    outside = int((sides == NO_PART).sum())
    if outside:
        of = f"of {plural(len(sides), 'recording')}"
        note += f" {plural(outside, f'{of} is', f'{of} are')} in none of them."
    note += leaks
    table = fold_rows(ids, values) if folds else part_rows(ids, values)
    return Split(name, SplitRecipe(PUBLISHED, seed), table, folds, bool(leaks), note, manifest.digest)
