"""How predictions are printed."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any, Final

from ser_pipeline.cli.common import Format, on_screen, out_whole, say, show_table
from ser_pipeline.cli.streams import out_csv
from ser_pipeline.tables import Column, one_line
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.serving.model import Model
    from ser_pipeline.serving.prediction import Prediction, Unusable

SHORT_S: Final = 1.0
"""Of recordings that are shorter, in seconds, models were found to be surer than they are right."""


class Printer:
    """Prints predictions: JSON lines and CSV at once, a table at the end.

    Args:
        model: that predicts.
        fmt: of the output.
        whole: there is one prediction for each recording.

    Attributes:
        failed: how many recordings could not be used.
        short: how many were decided on though they last less than ``SHORT_S``.
    """

    def __init__(self, model: "Model", fmt: Format, *, whole: bool = False) -> None:
        self.failed = self.short = 0
        self._dimensions = model.dimensions
        self._emotions = model.emotions
        self._about = {} if model.about is None else {"answered_by": model.about.as_dict()}
        self._fmt = fmt
        self._whole = whole
        self._rows: list[list[Any]] = []
        if fmt is Format.csv:
            self._add_row(self._columns())

    def add(self, said: "Prediction | Unusable") -> "Prediction | Unusable":
        """Print one, or keep it for the table; gives it back."""
        from ser_pipeline.serving.prediction import Unusable

        if isinstance(said, Unusable):
            self.failed += 1
            say(f"ser: {one_line(said.reason)}")
            if self._fmt is Format.json:
                self._put({"file": said.name, "error": said.reason})
            return said
        self.short += self._whole and said.emotion is not None and said.end_s - said.start_s < SHORT_S
        if self._fmt is Format.json:
            self._put(said.as_dict())
        else:
            self._add_row(self._row(said))
        return said

    def end(self) -> None:
        """Print the table, where one was asked for."""
        if self._fmt is Format.table and self._rows:
            self._show()
        if self.short:
            say(
                f"{plural(self.short, 'recording is', 'recordings are')} shorter than {SHORT_S:g} s; models "
                "are often surer of so little sound than they are right"
            )
        if self.failed:
            say(f"{plural(self.failed, 'recording')} could not be used")

    def _show(self) -> None:
        """Print the table; a terminal gets what tells its rows apart: names, or times of one recording."""
        names = {row[0] for row in self._rows}
        title, heads, rows = "predictions", self._columns(), self._rows
        first = Column("file", numeric=False, whole=True)
        if on_screen() and self._whole:
            heads, rows = heads[:-2], [row[:-2] for row in rows]
        elif on_screen() and len(names) == 1:
            title, first = f"predictions on {names.pop()}", Column("from s", keep=True)
            heads, rows = ["from s", "to s", *heads[1:-2]], [[*row[-2:], *row[1:-2]] for row in rows]
        show_table(title, [first, *heads[1:]], rows)

    def _put(self, said: dict[str, Any]) -> None:
        out_whole(json.dumps(said | self._about, ensure_ascii=False))

    def _add_row(self, row: list[Any]) -> None:
        if self._fmt is Format.csv:
            line = io.StringIO()
            csv.writer(line, lineterminator="\n").writerow(row)
            out_csv(line.getvalue())
        else:
            self._rows.append(row)

    def _columns(self) -> list[str]:
        return ["file", "decision", "confidence", *self._emotions, *self._dimensions, "from s", "to s"]

    def _row(self, said: "Prediction") -> list[Any]:
        shares = [round(said.probabilities[name], 6) if said.emotion else None for name in self._emotions]
        confidence = None if said.confidence is None else round(said.confidence, 6)
        ratings = [round(said.ratings[name], 6) if said.ratings else None for name in self._dimensions]
        return [
            said.name, said.decision, confidence, *shares, *ratings,
            round(said.start_s, 3), round(said.end_s, 3),
        ]  # fmt: skip
