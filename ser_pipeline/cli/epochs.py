"""The display of training: one line per epoch, and a progress bar on a terminal."""

import sys
from typing import TYPE_CHECKING, Any

from ser_pipeline.api import Watcher
from ser_pipeline.cli.common import say, wrapped

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

    def epoch_done(self, report: "EpochReport") -> None:
        """Show the epoch."""
        say(epoch_line(report))


class EpochBar(EpochLines):
    """Adds a bar of the current epoch below the lines."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "EpochBar":
        """Open the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("clips"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Close the bar."""
        self._bar.stop()

    def note(self, sentence: str) -> None:
        """Show the remark above the bar."""
        self._bar.console.print(wrapped(sentence), highlight=False, markup=False, soft_wrap=True)

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Reset the bar."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(f"epoch {epoch}", total=clips)

    def step_done(self, clips: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, advance=clips)

    def epoch_done(self, report: "EpochReport") -> None:
        """Show the epoch above the bar."""
        self.note(epoch_line(report))


def epoch_display(processes: int) -> EpochLines:
    """A bar on a terminal, lines elsewhere.

    Args:
        processes: that train; a bar cannot be handed to several.
    """
    return EpochBar() if sys.stderr.isatty() and processes == 1 else EpochLines()


def epoch_line(report: "EpochReport") -> str:
    """One epoch in a line; a star marks the best so far."""
    row = report.row
    score = row["validation_uar"]
    parts = [
        f"{report.word} {row['epoch']:>3}/{report.epochs}",
        f"train loss {row['train_loss']:.3f}",
        "no validation" if score is None else f"validation UAR {score:.3f}",
        "*" if row["epoch"] == report.best_epoch else " ",
        report.note or f"lr {row['learning_rate']:.2e}",
        f"{report.clips_per_second:.0f} clips/s",
    ]
    if report.patience_seconds:
        parts.append(f"ends in {duration(report.patience_seconds)} if nothing gets better")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Time in words.

    Examples:
        >>> duration(42), duration(600), duration(9000)
        ('42 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
