"""What a split is, and the file ``splits/<name>.parquet`` that keeps it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Int64s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import ManifestError, SplitError, some
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.read import Manifest
from ser_pipeline.manifest.schema import (
    NO_PART,
    PART_CODES,
    SPLIT_SCHEMA,
    read_table,
    with_facts,
    write_rows,
)
from ser_pipeline.records import PARTS
from ser_pipeline.splits.leaks import BY_SPEAKER, check_sides, in_folder, official, unknown_speakers
from ser_pipeline.tables.cells import plural

Ratios = tuple[float, float, float]

RATIOS: Final[Ratios] = (60.0, 20.0, 20.0)
"""Shares of train, validation and test, in percent."""

FOLDS: Final = 5
"""Folds of ``kfold``."""

PUBLISHED: Final = "published"
"""Kind of a split that was imported."""

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)

FOLDER: Final = "splits"


@dataclass(frozen=True)
class SplitRecipe:
    """How a split was made.

    Attributes:
        kind: one of ``KINDS``, or ``published`` for an imported one.
        seed: of every random choice, that of the validation speakers of a fold among them.
        ratios: shares of train, validation and test; a fold shares its rest by the first two.
        folds: number of folds of ``kfold``.
        where: condition on the recordings that it shares out; "" for all of them.
    """

    kind: str
    seed: int = 0
    ratios: Ratios = RATIOS
    folds: int = FOLDS
    where: str = ""

    def command(self, name: str) -> str:
        """The command that makes this split again under a name."""
        if self.kind == PUBLISHED:
            return f"ser manifest split {name} --from FILE"
        words = ["ser manifest split", self.kind]
        if self.seed:
            words.append(f"--seed {self.seed}")
        if self.ratios != RATIOS:
            words.append(f"--ratios {ratios_text(self.ratios)}")
        if self.folds != FOLDS:
            words.append(f"--folds {self.folds}")
        if self.where:
            words.append(f"--where {shlex.quote(self.where)}")
        if name != self.kind:
            words.append(f"--as {name}")
        return " ".join(words)


@dataclass(frozen=True)
class Split:
    """Parts of a manifest, or folds from which parts are made.

    Attributes:
        name: as in ``--split``.
        recipe: how it was made.
        table: columns ``utterance_id, part, fold``; ``fold`` is null unless there are folds,
            then it is the fold that tests the recording and ``part`` is ``test``.
        folds: names of the folds; empty where there are none.
        leaks_speakers: the same people may stand in training and test.
        note: what a reader of its numbers must know, one sentence.
        manifest_digest: of the manifest it was made for.
        digest: of the file's bytes.
    """

    name: str
    recipe: SplitRecipe
    table: pa.Table
    folds: tuple[str, ...]
    leaks_speakers: bool
    note: str
    manifest_digest: str
    digest: str = ""

    def __repr__(self) -> str:
        """One line: name, recordings, folds."""
        folds = f" in {len(self.folds)} folds" if self.folds else ""
        leaks = ", speakers on both sides" if self.leaks_speakers else ""
        return f"Split({self.name}: {plural(self.table.num_rows, 'recording')}{folds}{leaks})"

    def command(self, manifest: Path) -> str:
        """The command that makes this split again for a manifest, which is given by its file."""
        return self.recipe.command(self.name) + in_folder(manifest)

    @property
    def facts(self) -> dict[str, Any]:
        """The file's metadata."""
        return {
            "name": self.name,
            "kind": self.recipe.kind,
            "seed": self.recipe.seed,
            "ratios": list(self.recipe.ratios),
            "k": self.recipe.folds,
            "folds": list(self.folds),
            "leaks_speakers": self.leaks_speakers,
            "note": self.note,
            "manifest_digest": self.manifest_digest,
            **({"where": self.recipe.where} if self.recipe.where else {}),
        }

    @classmethod
    def from_facts(cls, table: pa.Table, facts: Mapping[str, Any], digest: str) -> "Split":
        """Make a split of what was read from its file.

        Raises:
            KeyError: a fact is missing; likewise ``TypeError`` and ``ValueError`` for odd ones.
        """
        train, validation, test = map(float, facts["ratios"])
        return cls(
            name=str(facts["name"]),
            recipe=SplitRecipe(
                facts["kind"],
                int(facts["seed"]),
                (train, validation, test),
                int(facts["k"]),
                str(facts.get("where", "")),
            ),
            table=table,
            folds=tuple(map(str, facts["folds"])),
            leaks_speakers=bool(facts["leaks_speakers"]),
            note=str(facts["note"]),
            manifest_digest=str(facts["manifest_digest"]),
            digest=digest,
        )

    def to_bytes(self) -> bytes:
        """The Parquet file, as it is written; the same split gives the same bytes."""
        sink = pa.BufferOutputStream()
        write_rows(with_facts(self.table, self.facts), sink)
        return bytes(sink.getvalue())

    def sealed(self) -> "Split":
        """This split with the digest its file will have."""
        return replace(self, digest=digest_bytes(self.to_bytes()))


def part_rows(ids: pa.ChunkedArray, parts: Int64s) -> pa.Table:
    """Rows of a split with parts.

    Args:
        ids: utterance ids.
        parts: shape ``(rows,)``, the part code of each.
    """
    names = pa.DictionaryArray.from_arrays(pa.array(parts, pa.int8()), pa.array(PARTS)).cast(pa.string())
    return pa.table([ids, names, pa.nulls(len(parts), pa.int16())], schema=SPLIT_SCHEMA)


def fold_rows(ids: pa.ChunkedArray, folds: Int64s) -> pa.Table:
    """Rows of a split with folds.

    Args:
        ids: utterance ids.
        folds: shape ``(rows,)``, the fold that tests each.
    """
    tests = part_rows(ids, np.full(len(folds), PART_CODES["test"]))
    return tests.set_column(2, SPLIT_SCHEMA.field("fold"), pa.array(folds, pa.int16()))


def checked_name(name: str) -> str:
    """Check a split's name, which becomes the name of a file.

    Raises:
        SplitError: not made of a-z, 0-9, ``-``, ``_`` and ``.``.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise SplitError(f"'{name}' cannot name a split; use a-z, 0-9, '-', '_' and '.', as in 'my-folds'")
    return name


CLOSE: Final = 0.005
"""How far shares may be from the whole, as 66.7/16.7/16.7 are."""


def parse_ratios(text: str) -> Ratios:
    """Read shares written as ``60/20/20``.

    Raises:
        SplitError: not three numbers, that do not add up to 100 or 1, or leave nothing to train on.

    Examples:
        >>> parse_ratios("80/0/20")
        (80.0, 0.0, 20.0)
    """
    try:
        train, validation, test = (float(part) for part in text.split("/"))
    except ValueError:
        raise SplitError(
            f"ratios '{text}' are not three numbers; write train/validation/test, as in '60/20/20'"
        ) from None
    ratios = checked_ratios((train, validation, test))
    whole = sum(ratios)
    if all(abs(whole - full) > CLOSE * full for full in (100, 1)):
        raise SplitError(f"ratios '{text}' add up to {whole:g}; they are shares of 100, as in '60/20/20'")
    return ratios


def checked_ratios(ratios: Sequence[float]) -> Ratios:
    """Check shares of train, validation and test.

    Raises:
        SplitError: a share is not a number from 0 up, or one side of a comparison is empty.
    """
    train, validation, test = (float(ratio) for ratio in ratios)
    valid = all(0 <= ratio < float("inf") for ratio in (train, validation, test))
    if not valid or train == 0 or validation + test == 0:
        raise SplitError(
            f"ratios {ratios_text((train, validation, test))} do not fit; training and one other part "
            "need a share above 0, as in '80/0/20'"
        )
    return train, validation, test


def ratios_text(ratios: Ratios) -> str:
    """Write shares as they are given on the command line.

    Examples:
        >>> ratios_text((60.0, 20.0, 20.0))
        '60/20/20'
    """
    return "/".join(f"{ratio:g}" for ratio in ratios)


def split_path(manifests: Path, name: str) -> Path:
    """Where a split is kept.

    Raises:
        SplitError: ``name`` cannot name one.
    """
    return manifests / FOLDER / f"{checked_name(name)}.parquet"


def split_names(manifests: Path) -> list[str]:
    """Names of the existing splits, sorted."""
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
        raise SplitError(_missing(path, manifests, name, manifest))
    split = load_split(path)
    if split.manifest_digest != manifest.digest:
        raise SplitError(
            f"{path}: was not made for the manifest {manifest.path}; "
            f"make it again with '{split.command(manifest.path)}'"
        )
    _check(split, manifest, path)
    return split


def load_split(path: Path) -> Split:
    """Read a split file without looking at any manifest.

    Raises:
        SplitError: it is missing, damaged or foreign.
    """
    remedy = f"ser manifest split {path.stem}{in_folder(path.parent)}"
    file = read_table(path, SPLIT_SCHEMA, remedy=remedy, error=SplitError)
    try:
        split = Split.from_facts(file.table, file.facts, file.digest)
    except (KeyError, TypeError, ValueError):
        raise SplitError(f"{path}: its metadata does not describe a split; run '{remedy}'") from None
    if split.name != path.stem:
        raise SplitError(f"{path}: contains the split '{split.name}'; the file must have the split's name")
    return split


def _missing(path: Path, manifests: Path, name: str, manifest: Manifest) -> str:
    there = split_names(manifests)
    known = f"; there are {', '.join(there)}" if there else ""
    if name in BY_SPEAKER and (unknown := unknown_speakers(manifest.table, manifest.path)):
        return f"{path}: not found{known}: {unknown}"
    if name in (*BY_SPEAKER, "stratified", "loco", "lolo"):
        return f"{path}: not found{known}; make it with 'ser manifest split {name}{in_folder(manifest.path)}'"
    where = in_folder(manifest.path)
    return (
        f"{path}: not found{known}; published parts are read with 'ser manifest split {name}{where} "
        f"--from FILE', and those in corpora's own tables with '{official(manifest.path)}'"
    )


def _check(split: Split, manifest: Manifest, path: Path) -> None:
    """Check the rows themselves: the digest vouches for the manifest, not for the file."""
    places, again = row_places(split, manifest), split.command(manifest.path)
    whole = split.recipe.kind != PUBLISHED and not split.recipe.where
    if whole and len(places) != manifest.table.num_rows:
        raise SplitError(
            f"{path}: has {len(places)} of {plural(manifest.table.num_rows, 'recording')}; run '{again}'"
        )
    codes = pc.index_in(split.table["part"], pa.array(PARTS))
    if codes.null_count:
        raise SplitError(f"{path}: has parts other than {', '.join(PARTS)}; run '{again}'")
    folds = split.table["fold"].fill_null(NO_PART).to_numpy()
    low, high = (0, len(split.folds) - 1) if split.folds else (NO_PART, NO_PART)
    if len(folds) and not low <= folds.min() <= folds.max() <= high:
        raise SplitError(f"{path}: has folds beyond its {len(split.folds)}; run '{again}'")
    sides = np.full(manifest.table.num_rows, NO_PART, np.int64)
    sides[places] = folds if split.folds else codes.to_numpy()
    check_sides(manifest.table, sides, str(path), speakers=not split.leaks_speakers)


def row_places(split: Split, manifest: Manifest) -> Int64s:
    """Row of the manifest for each row of the split.

    Raises:
        SplitError: a recording that the manifest does not have, or that the split names twice.
    """
    ids, known = split.table["utterance_id"], manifest.table["utterance_id"]
    if ids.equals(known):
        return np.arange(len(ids))
    places, again = pc.index_in(ids, known.combine_chunks()), split.command(manifest.path)
    if places.null_count:
        strange = ids.filter(places.is_null()).to_pylist()
        raise SplitError(f"split {split.name}: not in the manifest: {some(strange)}; run '{again}'")
    found = np.asarray(places, np.int64)
    if len(np.unique(found)) < len(found):
        raise SplitError(f"split {split.name}: a recording occurs twice; run '{again}'")
    return found


def all_splits(folder: Path) -> pa.Table:
    """The rows of all splits, with the split's name in the column ``split``.

    Raises:
        SplitError: one of them cannot be read.
    """
    tables = []
    for name in split_names(folder):
        rows = load_split(split_path(folder, name)).table
        tables.append(rows.add_column(0, "split", pa.array([name] * rows.num_rows, pa.string())))
    empty = SPLIT_SCHEMA.empty_table().add_column(0, "split", pa.array([], pa.string()))
    return pa.concat_tables(tables) if tables else empty


def damaged_splits(folder: Path, manifest: Manifest) -> list[str]:
    """A line for each split of a manifest that cannot be used with it."""
    lines = []
    for name in split_names(folder):
        try:
            read_split(folder, name, manifest)
        except ManifestError as error:
            lines.append(str(error))
    return lines
