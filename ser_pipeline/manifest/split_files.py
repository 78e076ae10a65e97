"""Split files: ``splits/<name>.parquet`` beside the manifest."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import SplitError
from ser_pipeline.manifest.folds import row_places
from ser_pipeline.manifest.leaks import check_sides
from ser_pipeline.manifest.read import Manifest
from ser_pipeline.manifest.schema import NO_PART, SPLIT_SCHEMA
from ser_pipeline.manifest.split import PUBLISHED, Split, checked_name
from ser_pipeline.manifest.tables import TableFile, read_table
from ser_pipeline.records import PARTS

FOLDER: Final = "splits"


def split_path(manifests: Path, name: str) -> Path:
    """Where a split is kept.

    Raises:
        SplitError: ``name`` cannot name one.
    """
    return manifests / FOLDER / f"{checked_name(name)}.parquet"


def split_names(manifests: Path) -> list[str]:
    """Names of the splits that are there, sorted."""
    return sorted(path.stem for path in (manifests / FOLDER).glob("[!.]*.parquet"))


def write_split(manifests: Path, split: Split) -> Path:
    """Write a split, whole or not at all.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    path = split_path(manifests, split.name)
    with write_atomically(path) as part:
        part.write_bytes(split.to_bytes())
    return path


def read_split(manifests: Path, name: str, manifest: Manifest) -> Split:
    """Read a split and check it against the manifest it must have been made for.

    Args:
        manifests: folder of the manifest.
        name: of the split.
        manifest: has at least ``SPLIT_COLUMNS``.

    Raises:
        SplitError: it is missing, damaged, of another manifest, or leaks.
    """
    path = split_path(manifests, name)
    if not path.is_file():
        raise SplitError(_missing(path, manifests, name))
    split = load_split(path)
    if split.manifest_digest != manifest.digest:
        raise SplitError(
            f"{path}: was made for another manifest than {manifest.path}; "
            f"make it again with '{split.command}'"
        )
    _check(split, manifest, path)
    return split


def load_split(path: Path) -> Split:
    """Read a split file without looking at any manifest.

    Raises:
        SplitError: it is missing, damaged or foreign.
    """
    remedy = f"ser manifest split {path.stem}"
    file = read_table(path, SPLIT_SCHEMA, remedy=remedy, error=SplitError)
    return _from_file(file, path, remedy)


def _from_file(file: TableFile, path: Path, remedy: str) -> Split:
    try:
        split = Split.from_facts(file.table, file.facts, file.digest)
    except (KeyError, TypeError, ValueError):
        raise SplitError(f"{path}: its metadata does not describe a split; run '{remedy}'") from None
    if split.name != path.stem:
        raise SplitError(f"{path}: holds the split '{split.name}'; a split's file has its name")
    return split


def _missing(path: Path, manifests: Path, name: str) -> str:
    there = split_names(manifests)
    known = f"; there are {', '.join(there)}" if there else ""
    return f"{path}: not found{known}; make it with 'ser manifest split {name}'"


def _check(split: Split, manifest: Manifest, path: Path) -> None:
    """Check the rows themselves: the digest vouches for the manifest, not for the file."""
    places = row_places(split, manifest)
    if split.recipe.kind != PUBLISHED and len(places) != manifest.table.num_rows:
        raise SplitError(
            f"{path}: has {len(places)} of {manifest.table.num_rows} recordings; run '{split.command}'"
        )
    codes = pc.index_in(split.table["part"], pa.array(PARTS))
    if codes.null_count:
        raise SplitError(f"{path}: has parts other than {', '.join(PARTS)}; run '{split.command}'")
    folds = split.table["fold"].fill_null(NO_PART).to_numpy()
    low, high = (0, len(split.folds) - 1) if split.folds else (NO_PART, NO_PART)
    if len(folds) and not low <= folds.min() <= folds.max() <= high:
        raise SplitError(f"{path}: has folds beyond its {len(split.folds)}; run '{split.command}'")
    sides = np.full(manifest.table.num_rows, NO_PART, np.int64)
    sides[places] = folds if split.folds else codes.to_numpy()
    check_sides(manifest.table, sides, str(path), speakers=not split.leaks_speakers)
