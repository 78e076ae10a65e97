"""The epochs of a run so far, and what follows from them: the best one, and when to stop."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ser_pipeline.atomic import write_atomically
from ser_pipeline.results import METRIC_COLUMNS
from ser_pipeline.settings import TrainOptions

METRICS = "metrics.csv"

Row = dict[str, float | int | None]
"""One epoch by the names of :data:`ser_pipeline.results.METRIC_COLUMNS`."""


def best_row(history: Sequence[Row], options: TrainOptions) -> Row:
    """The epoch whose weights count: the first with the highest monitored score.

    Without validation clips no epoch can be told to be better, and the last one counts.

    Examples:
        >>> rows = [{"epoch": 1, "validation_uar": 0.5}, {"epoch": 2, "validation_uar": 0.7}]
        >>> best_row([*rows, {"epoch": 3, "validation_uar": 0.7}], TrainOptions())["epoch"]
        2
    """
    key = f"validation_{options.monitor}"
    scored = [row for row in history if row.get(key) is not None]
    if not scored:
        return history[-1]
    return max(scored, key=lambda row: (row[key], -(row["epoch"] or 0)))


def out_of_patience(history: Sequence[Row], options: TrainOptions) -> bool:
    """Whether the best epoch lies ``patience`` epochs back."""
    if options.patience is None or not history:
        return False
    return len(history) - int(best_row(history, options)["epoch"] or 0) >= options.patience


def write_metrics(path: Path, history: Sequence[Row]) -> None:
    """Write ``metrics.csv``: one line per epoch, empty where there is no value."""
    with write_atomically(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, METRIC_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
