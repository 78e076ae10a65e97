"""The display of training: one line per epoch, and a progress bar on a terminal."""

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ser_pipeline.api import Watcher
from ser_pipeline.cli.common import say, say_whole_parts
from ser_pipeline.cli.streams import live_bar
from ser_pipeline.tables import one_line

if TYPE_CHECKING:
    from ser_pipeline.training.recorder import EpochReport


class EpochLines(Watcher):
    """Writes remarks, and a line after each epoch, to stderr."""

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

    def epoch_done(self, report: "EpochReport") -> None:
        """Show the epoch."""
        say_whole_parts(epoch_parts(report))


class EpochBar(EpochLines):
    """Adds a bar of the current epoch below the lines."""

    def __init__(self) -> None:
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


def epoch_display(processes: int) -> EpochLines:
    """A bar on a terminal, lines elsewhere.

    Args:
        processes: that train; a bar cannot be handed to several.
    """
    return EpochBar() if sys.stderr.isatty() and processes == 1 else EpochLines()


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
        parts.append(f"ends in {duration(report.patience_seconds)} if nothing gets better")
    return parts


def duration(seconds: float) -> str:
    """Time in words.

    Examples:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
