"""The display of training: one line per epoch, and a progress bar on a terminal."""

import math
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_pipeline.api import Watcher
from ser_pipeline.cli.budget import need_budget, parse_budget
from ser_pipeline.cli.common import say, say_whole_parts
from ser_pipeline.cli.streams import live_bar
from ser_pipeline.errors import OutOfTimeError
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import duration

if TYPE_CHECKING:
    from ser_pipeline.datasets.prepare import Inputs
    from ser_pipeline.runs.curves import EpochReport


class EpochLines(Watcher):
    """Writes remarks, and a line after each epoch, to stderr; ends the training when its budget is used up.

    Args:
        budget: as it was given; None where nothing was said.
        runs: folder of the runs, whose experiments tell how long trainings take here.
    """

    def __init__(self, budget: str | None = None, runs: Path = Path("runs")) -> None:
        self._budget, self._runs = budget, runs
        self._deadline = math.inf if budget is None else time.monotonic() + parse_budget(budget)

    def __enter__(self) -> "EpochLines":
        """Show nothing yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the lines."""

    def note(self, sentence: str) -> None:
        """Show the remark."""
        say(sentence)

    def warn(self, sentence: str) -> None:
        """Show the warning."""
        say(one_line(sentence))

    def planned(self, inputs: "Inputs") -> None:
        """Ask for a budget if the training takes hours.

        Raises:
            SettingsError: it does, and nothing was said of a budget.
        """
        from ser_pipeline.experiments.schedule import training_seconds

        expected = training_seconds(inputs, self._runs)
        need_budget(self._budget, expected, "this training takes", after="continue with --resume")

    def epoch_done(self, report: "EpochReport") -> None:
        """Show the epoch.

        Raises:
            OutOfTimeError: the budget is used up; the epoch's files are written.
        """
        say_whole_parts(epoch_parts(report))
        if time.monotonic() > self._deadline and report.row["epoch"] != report.epochs:
            raise OutOfTimeError("the budget was used up after an epoch")


class EpochBar(EpochLines):
    """Adds a bar of the current epoch below the lines."""

    def __init__(self, budget: str | None = None, runs: Path = Path("runs")) -> None:
        super().__init__(budget, runs)
        self._stack = ExitStack()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "EpochBar":
        """Open the bar."""
        self._bar = self._stack.enter_context(live_bar("clips", transient=True))
        return self

    def __exit__(self, *error: object) -> None:
        """Close the bar."""
        self._stack.close()

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Reset the bar."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(f"epoch {epoch}", total=clips)

    def step_done(self, clips: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=clips)


def epoch_display(processes: int, budget: str | None = None, runs: Path = Path("runs")) -> EpochLines:
    """A bar on a terminal, lines elsewhere.

    Args:
        processes: that train; a bar cannot be handed to several.
        budget: as it was given; None where nothing was said.
        runs: folder of the runs.

    Raises:
        SettingsError: the budget is not a time.
    """
    kind = EpochBar if sys.stderr.isatty() and processes == 1 else EpochLines
    return kind(budget, runs)


def epoch_parts(report: "EpochReport") -> list[str]:
    """What is said of one epoch, what matters most first; a star marks the best so far."""
    row = report.row
    name = "CCC" if "validation_ccc" in row else "UAR"
    score = row[f"validation_{name.lower()}"]
    best = "*" if row["epoch"] == report.best_epoch else " "
    parts = [
        f"{report.word} {row['epoch']:>3}/{report.epochs}",
        f"train loss {row['train_loss']:.3f}",
        f"{'no validation' if score is None else f'validation {name} {score:.3f}'} {best}",
        report.note or f"lr {row['learning_rate']:.2e}",
        f"{report.clips_per_second:.0f} clips/s",
    ]
    if report.patience_seconds:
        parts.append(f"ends in {duration(report.patience_seconds)} if nothing improves")
    return parts
