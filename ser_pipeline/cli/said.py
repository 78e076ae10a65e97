"""How predictions are printed, by ``predict`` and ``listen`` alike."""

import csv
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ser_pipeline.cli.common import Format, one_line, out, say, show_table

if TYPE_CHECKING:
    from ser_pipeline.serving.prediction import Failure, Prediction

S = TypeVar("S")


def share_or_auto(text: str) -> float | str:
    """Read ``--abstain``: a number, or a word to be checked by the options.

    Examples:
        >>> share_or_auto("0.5"), share_or_auto("auto")
        (0.5, 'auto')
    """
    try:
        return float(text)
    except ValueError:
        return text


class Printer:
    """Prints predictions: JSON lines and CSV at once, a table at the end.

    Args:
        emotions: class names, for the columns.
        fmt: of the output.

    Attributes:
        failed: how many recordings could not be used.
    """

    def __init__(self, emotions: Sequence[str], fmt: Format) -> None:
        self.failed = 0
        self._emotions = emotions
        self._fmt = fmt
        self._rows: list[list[Any]] = []
        self._csv = csv.writer(sys.stdout, lineterminator="\n")
        if fmt is Format.csv:
            self._csv.writerow(self._columns())

    def add(self, said: "Prediction | Failure") -> "Prediction | Failure":
        """Print one, or keep it for the table; gives it back."""
        from ser_pipeline.serving.prediction import Failure

        if isinstance(said, Failure):
            self.failed += 1
            say(f"ser: {one_line(said.reason)}")
            if self._fmt is Format.json:
                out(json.dumps({"file": said.name, "error": said.reason}, ensure_ascii=False))
        elif self._fmt is Format.json:
            out(json.dumps(said.as_dict(), ensure_ascii=False))
        else:
            self._add_row(self._row(said))
        return said

    def end(self) -> None:
        """Print the table, where one was asked for."""
        if self._fmt is Format.table and self._rows:
            show_table("predictions", self._columns(), self._rows)
        if self.failed:
            say(f"{self.failed} could not be used")

    def _add_row(self, row: list[Any]) -> None:
        if self._fmt is Format.csv:
            self._csv.writerow(row)
        else:
            self._rows.append(row)

    def _columns(self) -> list[str]:
        return ["file", "decision", "confidence", *self._emotions, "from s", "to s"]

    def _row(self, said: "Prediction") -> list[Any]:
        shares = [round(said.probabilities[name], 6) if said.emotion else None for name in self._emotions]
        confidence = None if said.confidence is None else round(said.confidence, 6)
        return [
            said.name, said.decision, confidence, *shares, round(said.start_s, 3), round(said.end_s, 3),
        ]  # fmt: skip
