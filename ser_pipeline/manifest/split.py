"""What a split is: its parts or folds, how it was made, and what to know of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest.arrays import Ints
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.schema import PART_CODES, SPLIT_SCHEMA
from ser_pipeline.manifest.tables import with_facts, write_rows
from ser_pipeline.records import PARTS

Ratios = tuple[float, float, float]

RATIOS: Final[Ratios] = (60.0, 20.0, 20.0)
"""Shares of train, validation and test, in percent."""

FOLDS: Final = 5
"""Folds of ``kfold``."""

MAX_FOLDS: Final = 32_767
"""What the column ``fold`` can hold."""

PUBLISHED: Final = "published"
"""Kind of a split that was imported."""

NAME_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)


@dataclass(frozen=True)
class Recipe:
    """How a split was made.

    Attributes:
        kind: one of ``KINDS``, or ``published`` for an imported one.
        seed: of every random choice, that of the validation speakers of a fold among them.
        ratios: shares of train, validation and test; a fold shares its rest by the first two.
        folds: number of folds of ``kfold``.
    """

    kind: str
    seed: int = 0
    ratios: Ratios = RATIOS
    folds: int = FOLDS

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
    recipe: Recipe
    table: pa.Table
    folds: tuple[str, ...]
    leaks_speakers: bool
    note: str
    manifest_digest: str
    digest: str = ""

    @property
    def command(self) -> str:
        """The command that makes this split again."""
        return self.recipe.command(self.name)

    @property
    def facts(self) -> dict[str, Any]:
        """What stands in the file's metadata."""
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
            recipe=Recipe(facts["kind"], int(facts["seed"]), (train, validation, test), int(facts["k"])),
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


def part_rows(ids: pa.ChunkedArray, parts: Ints) -> pa.Table:
    """Rows of a split with parts.

    Args:
        ids: utterance ids.
        parts: shape ``(rows,)``, the part code of each.
    """
    names = pa.DictionaryArray.from_arrays(pa.array(parts, pa.int8()), pa.array(PARTS)).cast(pa.string())
    return pa.table([ids, names, pa.nulls(len(parts), pa.int16())], schema=SPLIT_SCHEMA)


def fold_rows(ids: pa.ChunkedArray, folds: Ints) -> pa.Table:
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


def parse_ratios(text: str) -> Ratios:
    """Read shares written as ``60/20/20``.

    Raises:
        SplitError: not three numbers, or shares that leave nothing to train on.

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
    return checked_ratios((train, validation, test))


def checked_ratios(ratios: Sequence[float]) -> Ratios:
    """Check shares of train, validation and test.

    Raises:
        SplitError: a share is no number from 0 up, or one side of a comparison is empty.
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
