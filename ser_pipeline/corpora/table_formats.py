"""Forms of tables: lines of separated cells, nested JSON, and TextGrids of Praat.

A quote in lines of cells that is never closed would make one cell of all lines after it, and nobody would see
it; so one that is left open is refused.
"""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from ser_pipeline.errors import CorpusError
from ser_pipeline.tables.cells import plural

Row = Mapping[str, str]

_MARK: Final = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.])(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?![\w.])', re.IGNORECASE)
"""A text or a number of a TextGrid."""

MOSTLY: Final = 0.8
"""Share of the lines in a cell that have as many separators as the table, from which on they are rows."""

FEW_LINES: Final = 3
FEW_SEPARATORS: Final = 6
"""Lines in a cell, and separators in them, of which fewer prove nothing: verses have commas too."""


def cell_of(value: Any) -> str:
    """A value as the text of a cell; "" for none. Halves of letters, which JSON may hold, become ``?``.

    Examples:
        >>> cell_of(2.0), cell_of(None), cell_of(["anger"])
        ('2', '', 'anger')
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).encode("utf-8", "replace").decode()


def lines_of(text: str) -> list[str]:
    r"""Lines of a text, of any system; other marks that Python splits at may stand within a line.

    Examples:
        >>> lines_of("a\r\nb\u2028c\n")
        ['a', 'b\u2028c']
    """
    return [line.removesuffix("\n") for line in io.StringIO(text, newline=None)]


def json_rows(text: str, *, lines: bool) -> list[Row]:
    """Rows of a JSON text: the largest collection of objects in it, however deep.

    A collection is a list of objects, or an object of objects, whose names become the column "". What an
    object holds in objects of its own are columns with a point, as ``speaker.id``.

    Args:
        text: one JSON value, or one for each line.
        lines: whether each line is a value of its own.

    Raises:
        CorpusError: it is not JSON, or holds no object.
    """
    try:
        whole = _json_lines(text) if lines else _json(text)
        odd = [each for each in whole if not isinstance(_only(each), dict)] if isinstance(whole, list) else []
        if odd:
            raise ValueError(f"found {str(_only(odd[0]))[:40]!r} where an object should be")
        found = _records(whole) or ([whole] if isinstance(whole, dict) and whole else [])
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"is not JSON of a table ({error})") from None
    if not found and whole:
        raise CorpusError("is not JSON of a table (neither a list nor an object of objects)")
    flat = [_flat(row) for row in found]
    names = dict.fromkeys(name for row in flat for name in row)
    return [{name: cell_of(row.get(name)) for name in names} for row in flat]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return _json_lines(text)


def _json_lines(text: str) -> list[Any]:
    found = []
    for number, line in enumerate(lines_of(text), 1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return found


def _records(value: Any, *, inside: bool = False) -> list[dict[str, Any]]:
    """The collection in a value whose objects differ most; deeper ones include what is said above them."""
    rows = _collection(value, labels=not inside)
    if rows is None:
        inner = [_records(each, inside=inside) for each in value.values()] if isinstance(value, dict) else []
        return max(inner, key=len, default=[])
    best, most = rows, _different(rows)
    for name in dict.fromkeys(name for row in rows for name in row):
        deeper = [(row, record) for row in rows for record in _records(row.get(name), inside=True)]
        count = _different([record for _, record in deeper])
        if count > most:
            best, most = [{**_scalars(row), **record} for row, record in deeper], count
    return best


def _collection(value: Any, *, labels: bool) -> list[dict[str, Any]] | None:
    """Objects of a list, or of an object by their names; None where it holds anything else.

    Args:
        value: of JSON.
        labels: whether plain values by names that hold a number will do, as ``{"a1.wav": "anger"}``.
    """
    if isinstance(value, list):
        objects = [_only(each) for each in value]
        return objects if objects and all(isinstance(each, dict) for each in objects) else None
    if not isinstance(value, dict) or not value:
        return None
    named = {name: _only(each) for name, each in value.items()}
    objects = [each for each in named.values() if isinstance(each, dict)]
    if len(objects) == len(named) and _alike(objects):
        return [{"": name, **each} for name, each in named.items()]
    numbered = labels and len(named) > 1 and all(re.search(r"\d", name) for name in named)
    if numbered and len(_scalars(named)) == len(named):
        return [{"": name, "value": each} for name, each in named.items()]
    return None


def _alike(objects: Sequence[Mapping[str, Any]]) -> bool:
    """Whether objects are of one kind: most have a name in common, unless there is only one."""
    names = Counter(name for each in objects for name in each)
    return len(objects) == 1 or max(names.values(), default=0) > len(objects) / 2


def _scalars(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not isinstance(value, dict | list)}


def _different(rows: Sequence[Mapping[str, Any]]) -> int:
    """How many rows some column tells apart: few for objects that say the same of everything."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for name, value in _scalars(row).items():
            values.setdefault(name, set()).add(str(value))
    return max(map(len, values.values()), default=0)


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


@contextmanager
def noted(odd: Sequence[str]) -> Iterator[None]:
    """Add what should be known of how a table was read to errors on what it lacks.

    Raises:
        CorpusError: the error, with these lines.
    """
    try:
        yield
    except CorpusError as error:
        raise CorpusError("; ".join([str(error), *odd])) from None


def textgrid_rows(text: str) -> list[Row]:
    """Intervals and points of a TextGrid: ``start`` and ``end`` in seconds, and a column for each tier.

    Raises:
        CorpusError: it is not a TextGrid.
    """
    marks = [found[1] or found[0].replace('""', '"') for found in _MARK.findall(re.sub(r"\[\d*\]", "", text))]
    rows: dict[tuple[str, str], dict[str, str]] = {}
    at = 5  # the kinds of file and object, both bounds, and how many tiers there are
    try:
        if marks[:2] != ["ooTextFile", "TextGrid"]:
            raise ValueError("its first lines do not say so")
        for _ in range(int(marks[4])):
            points, name, count = marks[at] == "TextTier", marks[at + 1], int(marks[at + 4])
            at += 5
            for _ in range(count):
                start, end, said = marks[at], marks[at + (not points)], marks[at + 2 - points]
                rows.setdefault((start, end), {"start": start, "end": end})[name] = said
                at += 3 - points
    except (IndexError, ValueError) as error:
        raise CorpusError(f"is not a TextGrid of Praat ({error})") from None
    names = dict.fromkeys(name for row in rows.values() for name in row)
    return [{name: row.get(name, "") for name in names} for row in rows.values()]


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
        raise CorpusError(f"{where} never closed{follow}; close or remove it")
    alike = sum(line.count(marks[:1]) == len(marks) for line in inside) if marks else 0
    rows = alike >= max(FEW_LINES, MOSTLY * len(inside)) and alike * len(marks) >= FEW_SEPARATORS
    if rows or not _is_strict(lines[begun:end], form):
        raise CorpusError(f"{where} closed only in line {end}, where another one belongs; close or remove it")


def _is_strict(lines: Sequence[str], form: Mapping[str, Any]) -> bool:
    """Whether a separator or the end of the line follows each quote that closes a cell."""
    try:
        list(csv.reader(lines, **form, strict=True))
    except csv.Error:
        return False
    return True
