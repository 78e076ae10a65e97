"""What was asked for but could not be read: it is named on the page, never dropped in silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ser_pipeline.report.document import Block, Bullets, Callout


@dataclass(frozen=True)
class Unread:
    """A run folder, split file, experiment or file of a store that could not be read.

    Attributes:
        kind: ``run``, ``split``, ``experiment`` or ``store``.
        name: of the run folder, the split, the experiment or the store.
        reason: one line with the file, what is wrong, and what to do.
    """

    kind: Literal["run", "split", "experiment", "store"]
    name: str
    reason: str

    @property
    def line(self) -> str:
        """The whole as one line.

        Examples:
            >>> Unread("run", "mine", "runs/mine/settings.json: not JSON").line
            'run mine could not be read: runs/mine/settings.json: not JSON'
        """
        return f"{self.kind} {self.name} could not be read: {self.reason}"


def unread_blocks(unread: Sequence[Unread]) -> tuple[Block, ...]:
    """Write what is missing from the report and why; nothing where all was read."""
    if not unread:
        return ()
    warning = Callout("warning", ("This report is not complete. Missing from it, with the reason:",))
    return (warning, Bullets(tuple((entry.line,) for entry in unread)))
