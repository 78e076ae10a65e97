"""The epochs of a training: who is told of them, which one counts, and ``metrics.csv``."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from ser_pipeline.arrays import Float64s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import RunError
from ser_pipeline.options import TrainOptions

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
"""The same of a run whose targets are ratings; the concordance is the mean over the dimensions."""

Epoch = dict[str, float]
"""One line of ``metrics.csv``: what was measured, by column; a missing value is absent."""


Row = dict[str, float | int | None]
"""One epoch by the names of :data:`METRIC_COLUMNS`."""

LAST: Final = "last.ckpt"
"""State that a training goes on from."""


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch, as a watcher is told of it.

    Attributes:
        row: by the names of :data:`METRIC_COLUMNS`.
        epochs: at most this many.
        best_epoch: best so far, counted from 1.
        clips_per_second: training clips.
        patience_seconds: until training stops if nothing gets better; None if it would not.
        word: what an epoch is called.
        note: what sets this one apart from the others.
    """

    row: Row
    epochs: int
    best_epoch: int
    clips_per_second: float
    patience_seconds: float | None
    word: str = "epoch"
    note: str = ""


class Listener(Protocol):
    """Follows a training; called from the first process only."""

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Epoch ``epoch`` (counted from 1) begins; it has ``clips`` clips."""

    def step_done(self, clips: int) -> None:
        """A step with ``clips`` clips is done."""

    def epoch_done(self, report: EpochReport) -> None:
        """An epoch is done and its files are written."""


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


def monitored(history: Sequence[Row], options: TrainOptions) -> str:
    """Column of the score by which the best epoch is picked: of ratings, it is always their concordance."""
    return "validation_ccc" if history and "validation_ccc" in history[0] else f"validation_{options.monitor}"


def best_row(history: Sequence[Row], options: TrainOptions) -> Row:
    """The epoch whose weights count: the first with the highest monitored score.

    Without validation clips no epoch can be told to be better, and the last one counts.

    Examples:
        >>> rows = [{"epoch": 1, "validation_uar": 0.5}, {"epoch": 2, "validation_uar": 0.7}]
        >>> best_row([*rows, {"epoch": 3, "validation_uar": 0.7}], TrainOptions())["epoch"]
        2
    """
    key = monitored(history, options)
    scored = [row for row in history if row.get(key) is not None]
    if not scored:
        return history[-1]
    return max(scored, key=lambda row: (row[key], -(row["epoch"] or 0)))


def out_of_patience(history: Sequence[Row], options: TrainOptions) -> bool:
    """Whether the best epoch lies ``patience`` epochs back."""
    if options.patience is None or not history:
        return False
    return len(history) - int(best_row(history, options)["epoch"] or 0) >= options.patience


def write_metrics(folder: Path, history: Sequence[Row]) -> None:
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
        RunError: a file with other columns, or a value that is not a number.
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
