"""``metrics.csv``: what was measured in each epoch of a training."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float64s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import RunError

METRICS: Final = "metrics.csv"

METRIC_COLUMNS = (
    "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
    "validation_uar", "learning_rate", "train_seconds", "validation_seconds",
)  # fmt: skip
"""Columns of ``metrics.csv``; a missing value is empty."""

RATING_COLUMNS: Final = (
    "epoch", "train_loss", "train_ccc", "validation_loss", "validation_ccc", "learning_rate",
    "train_seconds", "validation_seconds",
)  # fmt: skip
"""The same of a run whose target are ratings; the concordance is the mean over the dimensions."""

Epoch = dict[str, float]
"""One line of ``metrics.csv``: what was measured, by column; a missing value is absent."""


@dataclass(frozen=True)
class Curve:
    """How one training went; ``name`` tells folds apart and is empty for a single training."""

    name: str
    epochs: tuple[Epoch, ...]

    def column(self, name: str) -> tuple[Float64s, Float64s]:
        """Epochs and values where ``name`` was measured, shape ``(epochs,)`` each."""
        held = [(epoch["epoch"], epoch[name]) for epoch in self.epochs if name in epoch]
        pairs = np.array(held, dtype=np.float64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]


def write_metrics(folder: Path, history: Sequence[Mapping[str, float | int | None]]) -> None:
    """Write ``metrics.csv``: one line per epoch, empty if there is no value.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    with write_atomically(folder / METRICS) as part, part.open("w", encoding="utf-8", newline="") as file:
        columns = RATING_COLUMNS if history and "validation_ccc" in history[0] else METRIC_COLUMNS
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def read_curves(folder: Path) -> tuple[Curve, ...]:
    """Read ``metrics.csv`` of a run, or of each fold in a folder of its own.

    Raises:
        RunError: a file with other columns, or a value that is no number.
    """
    alone = folder / METRICS
    if alone.is_file():
        return (Curve("", _read_epochs(alone)),)
    return tuple(Curve(path.parent.name, _read_epochs(path)) for path in sorted(folder.glob(f"*/{METRICS}")))


def _read_epochs(path: Path) -> tuple[Epoch, ...]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: not a text file ({error.reason}); train the run again") from None
    except (OSError, csv.Error) as error:
        raise RunError(f"{path}: cannot be read ({error}); train the run again") from None
    if rows and not {"epoch", "train_loss"} <= rows[0].keys():
        raise RunError(f"{path}: needs the columns {', '.join(METRIC_COLUMNS)}; train the run again")
    epochs: list[Epoch] = []
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():  # how `csv` marks too many and too few
            raise RunError(f"{path}: line {number}: not one value per column; train the run again")
        try:
            values = {key: float(value) for key, value in row.items() if value}
        except ValueError as error:
            raise RunError(f"{path}: line {number}: {error}; train the run again") from None
        epochs.append({key: value for key, value in values.items() if math.isfinite(value)})
    return tuple(epoch for epoch in epochs if "epoch" in epoch)
