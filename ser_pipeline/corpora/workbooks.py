"""Sheets of Excel workbooks, as far as tables of recordings need them."""

import posixpath
import re
import zipfile
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from ser_pipeline.corpora.table_formats import cell_of
from ser_pipeline.errors import CorpusError

LARGEST_SHEET: Final = 1 << 28
"""Bytes of XML that are read of one sheet; a file that unpacks to more is refused."""

TIMES_OF_EXCEL: Final = ("18", "19", "20", "21", "45", "46", "47")
"""Formats of Excel's own that show a time of day or a length of time (ECMA-376, part 1, 18.8.30)."""


def sheet_rows(path: Path, odd: list[str] | None = None) -> list[tuple[int, list[str]]]:
    """Cells of each row that has any, with its number, of the first visible sheet of an Excel workbook.

    Args:
        path: of the workbook.
        odd: takes a line that says so, if further sheets have cells.

    Raises:
        CorpusError: it cannot be read as one.
    """
    try:
        with zipfile.ZipFile(path) as book:
            shared = "xl/sharedStrings.xml"
            strings = [_text(each) for each in _xml(book, shared)] if shared in book.namelist() else []
            times = _styles_of_times(book)
            lines, more = list[tuple[int, list[str]]](), 0
            for name in _sheets(book):
                if lines:
                    more += _has_cells(book, name)
                else:
                    rows = [each for each in _xml(book, name).iter() if _tag(each) == "row"]
                    found = [
                        (int(row.get("r", at)), _cells(row, strings, times)) for at, row in enumerate(rows, 1)
                    ]
                    lines = [row for row in found if any(cell.strip() for cell in row[1])]
            if more and odd is not None:
                odd.append(f"only the first of its {1 + more} sheets is read; save another one as CSV")
            return lines
    except (zipfile.BadZipFile, ElementTree.ParseError, OSError, ValueError, IndexError, KeyError) as error:
        raise CorpusError(f"cannot be read as a workbook of Excel ({error}); save it as CSV") from None


def _sheets(book: zipfile.ZipFile) -> list[str]:
    """Files of the sheets in the order of their tabs, without hidden ones; by number if nothing says it."""
    there = [name for name in book.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)]
    there.sort(key=lambda name: (len(name), name))
    told, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    if not {told, links} <= {*book.namelist()}:
        return there
    files = {each.get("Id", ""): posixpath.join("/xl", each.get("Target", "")) for each in _xml(book, links)}
    tabs = [each for each in _xml(book, told).iter() if _tag(each) == "sheet"]
    names = [
        posixpath.normpath(files.get(value, "")).lstrip("/")
        for tab in tabs
        if tab.get("state", "visible") == "visible"
        for key, value in tab.items()
        if key.endswith("}id")
    ]
    return [name for name in names if name in there] or there


def _has_cells(book: zipfile.ZipFile, name: str) -> bool:
    large = book.getinfo(name).file_size > LARGEST_SHEET
    return large or re.search(rb"<(\w+:)?[vt][\s>]", book.read(name)) is not None


def _xml(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if book.getinfo(name).file_size > LARGEST_SHEET:
        raise ValueError(f"{name} is too large")
    return ElementTree.fromstring(book.read(name))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    """The text of a cell, without how its signs are read (furigana)."""
    if _tag(element) == "t":
        return element.text or ""
    return "".join(_text(each) for each in element if _tag(each) != "rPh")


def _styles_of_times(book: zipfile.ZipFile) -> set[str]:
    """Numbers of the styles by which a cell shows a share of a day as hours, minutes and seconds."""
    if "xl/styles.xml" not in book.namelist():
        return set()
    styles = [*_xml(book, "xl/styles.xml").iter()]
    own = {each.get("numFmtId"): each.get("formatCode", "") for each in styles if _tag(each) == "numFmt"}
    marks = {key: re.sub(r'"[^"]*"|\\.', "", code.lower()) for key, code in own.items()}
    times = {key for key, code in marks.items() if re.search("[hs]", code) and not re.search("[yd]", code)}
    kinds = (each for each in styles if _tag(each) == "cellXfs")
    used = [kind.get("numFmtId") for every in kinds for kind in every]
    return {str(number) for number, key in enumerate(used) if key in {*TIMES_OF_EXCEL, *times}}


def _as_time(days: float) -> str:
    """A share of a day in hours, minutes and seconds.

    Examples:
        >>> _as_time(0.00347222222222222), _as_time(1.5)
        ('0:05:00.000', '36:00:00.000')
    """
    minutes, ms = divmod(round(days * 86_400_000), 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{ms // 1000:02}.{ms % 1000:03}"


def _cells(row: ElementTree.Element, strings: Sequence[str], times: Set[str]) -> list[str]:
    cells: dict[int, str] = {}
    for number, cell in enumerate(row):
        letters = re.sub(r"\d", "", cell.get("r", ""))
        place = sum(26**power * (ord(x) - 64) for power, x in enumerate(reversed(letters))) - 1
        value = next((each.text or "" for each in cell if _tag(each) == "v"), "")
        kind = cell.get("t", "n")
        if kind == "s":
            value = strings[int(value)]
        elif kind == "inlineStr":
            value = _text(cell)
        elif kind == "n" and value:
            value = _as_time(float(value)) if cell.get("s") in times else cell_of(float(value))
        cells[place if letters else number] = value
    return [cells.get(place, "") for place in range(max(cells, default=-1) + 1)]
