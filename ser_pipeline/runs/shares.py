"""``shares.json`` of a run on mels or through an encoder: importance of each input, layer, pooling or band.

It stands beside the files that :mod:`ser_pipeline.runs.types` lists, and is written by ``ser explain``.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, FiniteFloat

from ser_pipeline.options import Options
from ser_pipeline.runs.explanation import FeatureImportance, Interval
from ser_pipeline.runs.files import read_result
from ser_pipeline.tables.cells import plural

SHARES: Final = "shares.json"

Kind = Literal[
    "input",
    "layer",
    "pooling",
    "layer and pooling",
    "band of frequencies",
    "group of features",
    "part of the clip",
    "training of a layer",
]
"""What is permuted; the training of a layer is undone instead."""


class InputImportance(FeatureImportance):
    """What permuting, or leaving out, some columns of the input costs.

    Attributes:
        columns: how many there are; of a step where the input consists of steps, and of trained weights for
            the training of a layer.
        without: drop of UAR when they are left out: held at their mean over the training clips.
        share: of the drops by permutation of all entries of the table; 0 where the model did better without.
        weight: of a layer in the average that a probe has learned; None where there is none.
    """

    columns: int
    without: FiniteFloat
    share: FiniteFloat
    weight: FiniteFloat | None = None


class ShareTable(Options):
    """All parts of one kind, in the order of the columns or of time."""

    kind: Kind
    entries: tuple[InputImportance, ...] = Field(min_length=1)


class Shares(Options):
    """Importance of the parts of a run's input.

    Attributes:
        part: of the split that they were measured on.
        clips: of that part.
        speakers: of that part.
        seed: of permutations and draws.
        repeats: permutations of each set of columns.
        emotions: class names.
        uar: of the model on the part, as it is.
        tables: from the coarsest to the finest.
        interval: how intervals were made, in words.
        notes: what a reader must know, one sentence each.
    """

    schema_version: Literal[1] = 1
    part: str
    clips: int
    speakers: int
    seed: int
    repeats: int
    emotions: tuple[str, ...]
    uar: Interval
    tables: tuple[ShareTable, ...] = Field(min_length=1)
    interval: str
    notes: tuple[str, ...] = ()

    @property
    def weighted(self) -> bool:
        """Whether a probe has learned how much each layer counts."""
        return any(each.weight is not None for table in self.tables for each in table.entries)

    def __repr__(self) -> str:
        """Name the most important parts in one line."""
        first = sorted(self.tables[0].entries, key=lambda each: -each.share)[:3]
        names = ", ".join(f"{each.name} {100 * each.share:.0f} %" for each in first)
        return f"Shares({plural(self.clips, f'{self.part} clip')}: {names})"

    __str__ = __repr__


def read_shares(folder: Path) -> Shares | None:
    """Read the shares of a run; None where it has not been explained.

    Raises:
        RunError: the file cannot be read, or was written by another version.
    """
    path, again = folder / SHARES, f"explain it again with 'ser explain {folder}'"
    return read_result(Shares, path, remedy=again) if path.exists() else None
