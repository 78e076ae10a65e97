"""Lines of text whose cells are separated, as CSV, and quotes in them that are left open.

A quote that is never closed would make one cell of all lines after it, and nobody would see it.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ser_pipeline.errors import CorpusError
from ser_pipeline.tables.cells import plural

MOSTLY: Final = 0.8
"""Share of the lines in a cell that have as many separators as the table, from which on they are rows."""

FEW_LINES: Final = 3
FEW_SEPARATORS: Final = 6
"""Lines in a cell, and separators in them, of which fewer prove nothing: verses have commas too."""


def separated_lines(text: str, separator: str, *, blanks: bool = False) -> list[tuple[int, list[str]]]:
    """Cells of each line that has any, with its number; that of the last where a cell spans several.

    Args:
        text: of the table.
        separator: of its columns.
        blanks: whether blanks behind a separator are passed over.

    Raises:
        CorpusError: a line cannot be read, or a quote is left open.
    """
    lines = io.StringIO(text, newline="").readlines()
    # the empty line at the end becomes part of the last row if a quote is still open there
    form: dict[str, Any] = {"delimiter": separator, "skipinitialspace": blanks}
    reader = csv.reader([*lines, ""], **form)
    found: list[tuple[int, list[str]]] = []
    end = 0
    try:
        for cells in reader:
            begun, end = end, reader.line_num
            if end > begun + 1:
                marks = separator * (len(found[0][1]) - 1 if found else 0)
                _refuse_open(lines, begun, end, cells, marks, form)
            if any(cell.strip() for cell in cells):
                found.append((end, cells))
    except csv.Error as error:
        if reader.line_num > end + 1:
            inside = plural(reader.line_num - end - 1, "line")
            raise CorpusError(f"line {end + 1}: a quote is opened and not closed within {inside}") from None
        raise CorpusError(f"line {reader.line_num} is not a line of a table: {error}") from None
    return found


def _refuse_open(
    lines: Sequence[str], begun: int, end: int, cells: Sequence[str], marks: str, form: Mapping[str, Any]
) -> None:
    """Refuse a row of several lines if one of its quotes is not closed where the cell should end.

    Args:
        lines: of the whole table.
        begun: lines before the row.
        end: number of its last line.
        cells: of the row.
        marks: the separators of a usual row.
        form: how rows are read.

    Raises:
        CorpusError: it is refused.
    """
    ends = [len(re.findall(r"\r\n|\r|\n", cell)) for cell in cells]
    longest = len(cells) - 1 if end > len(lines) else ends.index(max(ends))
    opened = begun + 1 + sum(ends[:longest])
    inside = lines[opened:end]
    where = f"line {opened}: a quote is opened and"
    if end > len(lines):
        follow = f"; {plural(len(inside), 'line')} follow inside it" if inside else ""
        raise CorpusError(f"{where} never closed{follow}; close it or take it out")
    alike = sum(line.count(marks[:1]) == len(marks) for line in inside) if marks else 0
    rows = alike >= max(FEW_LINES, MOSTLY * len(inside)) and alike * len(marks) >= FEW_SEPARATORS
    if rows or not _is_strict(lines[begun:end], form):
        raise CorpusError(
            f"{where} closed only in line {end}, where another one belongs; close it or take it out"
        )


def _is_strict(lines: Sequence[str], form: Mapping[str, Any]) -> bool:
    """Whether a separator or the end of the line follows each quote that closes a cell."""
    try:
        list(csv.reader(lines, **form, strict=True))
    except csv.Error:
        return False
    return True
