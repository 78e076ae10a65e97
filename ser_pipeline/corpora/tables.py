"""The tables that corpora publish beside their recordings.

A table only adds to what names say, so a missing or broken one never ends a scan: the rows
come without its facts, and the scan ends with a :class:`TableProblem` that says so.
"""

import errno
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ser_pipeline.atomic import is_plain
from ser_pipeline.corpora.table_formats import (
    Row,
    cell_of,
    json_rows,
    lines_of,
    noted,
    separated_lines,
    textgrid_rows,
)
from ser_pipeline.corpora.words import emotion_of_word
from ser_pipeline.corpora.workbooks import sheet_rows
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import MissingAudio, TableProblem
from ser_pipeline.remote.addresses import address_of
from ser_pipeline.remote.opening import holds_files, opened_bytes
from ser_pipeline.tables.cells import plural

Facts = Mapping[str, Any]
"""Fields of an :class:`ser_pipeline.records.Utterance` and their values."""

UTF8 = ("utf-8-sig",)
ANY_ENCODING = ("utf-8-sig", "cp1252", "latin-1")
"""Tried in this order if none is given; the last one always fits. UTF-16 is known by its mark."""
LEGACY = (*(f"cp125{page}" for page in "201346"), "cp932", "cp949", "gb18030", "big5")
"""Encodings that labels may tell: of Europe, Turkey and Arabic, and of Japan, Korea and China."""
SEPARATORS = "\t;,|"
MOST_LOOKED_AT = 1000
"""Lines of a table without a heading in which its separator is looked for."""


@dataclass(frozen=True)
class CorpusTable:
    """What one table says of each recording, and what could not be read of it."""

    corpus: str
    name: str
    rows: Mapping[str, Facts] = field(default_factory=dict)
    problem: str | None = None

    def facts(self, key: str) -> Facts:
        """Facts about ``key``; none where the table does not name it."""
        return self.rows.get(key, {})

    def remarks(self, seen: Collection[str] | None = None) -> Iterator[MissingAudio | TableProblem]:
        """What the end of a scan has to say of this table.

        Args:
            seen: keys of the recordings that were found; None where the table is known to name
                recordings that were never published.
        """
        absent = [] if seen is None else sorted(set(self.rows).difference(seen))
        if absent:
            yield MissingAudio(self.corpus, self.name, len(absent), tuple(absent[:5]))
        if self.problem is not None:
            yield TableProblem(self.corpus, self.name, self.problem)


def read_table(
    corpus: str,
    root: Path,
    name: str,
    read_row: Callable[[Row], tuple[str, Facts] | None],
    columns: Sequence[str],
) -> CorpusTable:
    """Read a table of CSV in UTF-8, a line for each recording or speaker; never raises for its content.

    Args:
        corpus: corpus id.
        root: folder of the corpus.
        name: official path of the table below ``root``; beside ``root``'s files will do too.
        read_row: line -> (key, facts), None to pass over it; raises ValueError for a bad value.
        columns: names that the first line must hold.
    """
    path = next((path for path in (root / name, root / Path(name).name) if path.is_file()), None)
    if path is None:
        return CorpusTable(corpus, name, problem="not found; the rows lack its information")
    try:
        lines = _lines(path, columns)
    except CorpusError as error:
        return CorpusTable(corpus, name, problem=f"{error}; the rows lack its information")
    rows: dict[str, Facts] = {}
    bad: list[str] = []
    for number, line in lines:
        try:
            entry = read_row(line)
        except ValueError as error:
            bad.append(f"line {number}: {error}")
            continue
        if entry is not None and rows.setdefault(*entry) is not entry[1]:
            bad.append(f"line {number}: {entry[0]!r} occurs a second time")
    return CorpusTable(corpus, name, rows, left_out(bad))


def _lines(path: Path, columns: Sequence[str]) -> list[tuple[int, Row]]:
    """Lines of a table below its heading, each with its number; only the columns asked for.

    Raises:
        CorpusError: the file cannot be read or decoded, or lacks a column.
    """
    lines = separated_lines(read_text(path), ",")
    heading = [cell.strip() for cell in lines[0][1]] if lines else []
    absent = [column for column in columns if column not in heading]
    if absent:
        found = ", ".join(heading)[:80] or "nothing"
        raise CorpusError(f"lacks column {', '.join(absent)} (found {found})")
    places = [(column, heading.index(column)) for column in columns]
    return [
        (number, {name: cells[at] if at < len(cells) else "" for name, at in places})
        for number, cells in lines[1:]
    ]


def read_any(
    path: Path,
    *,
    separator: str | None = None,
    encoding: str | None = None,
    heading: bool = True,
    odd: list[str] | None = None,
) -> list[tuple[int, Row]]:
    """Lines of a table of any usual form, each with its number and all its cells as text.

    Args:
        path: a Parquet file, JSON lines (``.jsonl``), JSON (``.json``), a workbook (``.xlsx``), a TextGrid,
            or text, whose separator and encoding are found.
        separator: between columns of text, a blank for any number of them; None finds it.
        encoding: of text; None tries the usual ones.
        heading: whether the first line of text or of a sheet names the columns; otherwise they are called
            ``1``, ``2`` and so on.
        odd: takes what should be known of lines of text that have more or fewer cells than the heading, and
            of sheets of a workbook that are not read.

    Raises:
        CorpusError: the file cannot be read, is empty, or is not a table.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        rows = _parquet_rows(path)
    elif suffix in (".json", ".jsonl", ".ndjson"):
        rows = json_rows(read_text(path, (encoding,) if encoding else UTF8), lines=suffix != ".json")
    elif suffix == ".textgrid":
        rows = textgrid_rows(read_text(path, (encoding,) if encoding else ANY_ENCODING))
    elif suffix == ".xlsx":
        sheets: list[str] = []
        numbered = sheet_rows(path, sheets)
        if odd is not None:
            odd += sheets
        with noted(sheets):
            return _named(numbered, heading)
    else:
        text = read_text(path, (encoding,) if encoding else ANY_ENCODING)
        numbered = _text_lines(text, separator, heading)
        if odd is not None:
            odd += _ragged(numbered) if heading else ()
        return _named(numbered, heading)
    if not rows:
        raise CorpusError("holds no line")
    return list(enumerate(rows, 1))


def _ragged(lines: Sequence[tuple[int, list[str]]]) -> Iterator[str]:
    """What should be known of lines that have more or fewer cells than the first."""
    width = len(lines[0][1]) if lines else 0
    more = [number for number, cells in lines if any(cell.strip() for cell in cells[width:])]
    fewer = [number for number, cells in lines if len(cells) < width]
    for found, what, so in ((more, "more", "these are not read"), (fewer, "fewer", "the others are empty")):
        if found:
            many = plural(len(found), "line has", "lines have")
            yield f"{many} {what} cells than the heading, the first is line {found[0]}; {so}"


def table_lines(file: Path, odd: list[str] | None = None) -> list[Row]:
    """Lines of a table of any usual form.

    Args:
        file: the table.
        odd: takes what should be known of lines that have more or fewer cells than the heading.

    Raises:
        CorpusError: it cannot be read; says which file.
    """
    try:
        return [line for _, line in read_any(file, odd=odd)]
    except CorpusError as error:
        raise CorpusError(f"{file}: {error}") from None


def _parquet_rows(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opened_bytes(path, whole=False) as file, pa.PythonFile(file, "r") as whole:
            source = pq.ParquetFile(whole)
            plain = [f.name for f in source.schema_arrow if not pa.types.is_nested(f.type)]
            sound = [f.name for f in source.schema_arrow if holds_files(f.type)]
            lines = source.read(columns=plain).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"cannot be read as Parquet ({str(error).partition(chr(10))[0]})") from None
    place = address_of(path) or path.absolute()
    return [
        {name: cell_of(value) for name, value in line.items()}
        | {name: f"parquet://{name}/{row}::{place}" for name in sound}
        for row, line in enumerate(lines)
    ]


def _text_lines(text: str, separator: str | None, heading: bool) -> list[tuple[int, list[str]]]:
    if told := re.match(r'"?sep=([^\w\s]|\t)"?(?=[\r\n])', text):  # what Excel writes and heeds
        separator, text = separator or told[1], text[told.end() :]
    lines = [line for line in lines_of(text) if line.strip()]
    if not lines:
        raise CorpusError("is empty")
    if separator is None:
        separator = _separator(lines[:1] if heading else lines[:MOST_LOOKED_AT])
    if separator == " ":
        numbered = [(number, line.split()) for number, line in enumerate(lines_of(text), 1)]
        return [(number, [cell.rstrip(":,;") for cell in cells]) for number, cells in numbered if cells]
    return separated_lines(text, separator, blanks=True)


def _separator(lines: Sequence[str]) -> str:
    """What separates the columns of some lines: the mark that most of them have, or else blanks."""
    marks = {mark: (sum(mark in line for line in lines), sum(line.count(mark) for line in lines))
             for mark in SEPARATORS}  # fmt: skip
    best = max(marks, key=lambda mark: marks[mark])
    return best if marks[best][0] else " " if all(len(line.split()) > 1 for line in lines) else ","


def _named(lines: Sequence[tuple[int, list[str]]], heading: bool) -> list[tuple[int, Row]]:
    """Cells by the names of their columns."""
    if not lines:
        raise CorpusError("holds no line")
    met: Counter[str] = Counter()
    names = []
    for cell in map(str.strip, lines[0][1]):
        met[cell] += 1
        names.append(f"{cell} ({met[cell]})" if cell and met[cell] > 1 else cell)
    if not heading:
        names = [str(number) for number in range(1, max(len(cells) for _, cells in lines) + 1)]
    elif len(lines) == 1:
        raise CorpusError(f"holds only a heading ({', '.join(names)[:80]})")
    return [
        (number, dict(zip(names, [*cells, *[""] * len(names)], strict=False)))
        for number, cells in lines[heading:]
    ]


def read_text(path: Path, encodings: Sequence[str] = UTF8) -> str:
    """Read a text file in the first encoding that fits.

    Raises:
        CorpusError: the file cannot be read, or no encoding fits.
    """
    try:
        if address_of(path) is not None:
            with opened_bytes(path) as file:
                content = file.read()
        elif not (is_plain(path) or path.is_dir()):
            raise OSError(errno.EINVAL, "it is not a regular file")
        else:
            content = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot be read ({error.strerror})") from None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ("utf-16",)
    elif b"\0" in content[:2]:  # without a mark: the first letter of a heading is ASCII
        encodings = ("utf-16-be" if content[0] == 0 else "utf-16-le",)
    if encodings == ANY_ENCODING:
        with suppress(UnicodeDecodeError):
            return content.decode(UTF8[0])
        encodings = (*_of_labels(content), *_of_two_bytes(content), *ANY_ENCODING[1:])
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
        except LookupError:
            raise CorpusError(f"encoding {encoding!r} is unknown; name one such as 'utf-8'") from None
    names = " or ".join(encodings).replace("utf-8-sig", "UTF-8")
    raise CorpusError(f"line {line} is not {names} text")


def _of_labels(content: bytes) -> list[str]:
    """The legacy encoding in which most words beyond ASCII are emotions; none if there is no such word."""
    found: dict[str, int] = {}
    for encoding in LEGACY:
        words = {*re.split(r'[\s,;|"]+', content[: 1 << 16].decode(encoding, "ignore"))}
        found[encoding] = sum(not word.isascii() and emotion_of_word(word) is not None for word in words)
    return [max(found, key=lambda encoding: found[encoding])] if any(found.values()) else []


def _of_two_bytes(content: bytes) -> tuple[str, ...]:
    """The encoding of Korean or Chinese text, whose letters are pairs of bytes; none of other text."""
    runs = re.findall(rb"[\x80-\xff]+", content[: 1 << 16])
    pairs = b"".join(run for run in runs if len(run) % 2 == 0)
    if not pairs or len(pairs) < 0.9 * sum(map(len, runs)) or min(pairs[1::2]) < 0xA1:
        return ()
    for encoding, last, share in (("cp949", 0xC8, 0.9), ("gb18030", 0xD7, 0.7)):  # their usual letters
        if sum(0xB0 <= byte <= last for byte in pairs[::2]) > share * len(pairs) / 2:
            return (encoding,)
    return ()


def number_of(text: str) -> float:
    """Read a number; a comma may stand for the point.

    Raises:
        ValueError: it is none.

    Examples:
        >>> number_of("95,5")
        95.5
    """
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise ValueError(f"{text.strip()!r} is not a number") from None


def whole_number(text: str) -> int:
    """Read a whole number, which may end in ``.0``.

    Raises:
        ValueError: it is none.

    Examples:
        >>> whole_number("2.0")
        2
    """
    value = number_of(text)
    if not value.is_integer():
        raise ValueError(f"{text.strip()!r} is not a whole number")
    return int(value)


def share_of(text: str, whole: float) -> float:
    """Read a number and return it as share of ``whole``; a comma may stand for the point.

    Raises:
        ValueError: no number between 0 and ``whole``.

    Examples:
        >>> share_of("95,00", 100)
        0.95
    """
    value = number_of(text)
    if not math.isfinite(value) or not 0 <= value <= whole:
        raise ValueError(f"{text.strip()} is not between 0 and {whole:g}")
    return value / whole


def gender_of(text: str) -> str:
    """Read ``Female`` or ``male`` in any case.

    Raises:
        ValueError: neither of them.
    """
    gender = text.strip().lower()
    if gender not in ("female", "male"):
        raise ValueError(f"{text.strip()!r} is neither female nor male")
    return gender


def age_of(text: str) -> int:
    """Read an age in years.

    Raises:
        ValueError: no whole number from 1 to 120.
    """
    age = int(text) if text.strip().isdecimal() else 0
    if not 1 <= age <= 120:
        raise ValueError(f"age {text.strip()!r} is not a whole number from 1 to 120")
    return age


def left_out(bad: list[str], what: str = "line") -> str | None:
    """What is wrong with lines or values of a table that are not read, in one line; None if nothing is."""
    if not bad:
        return None
    if len(bad) == 1:
        return f"{bad[0]}; that {what} is left out"
    return f"{plural(len(bad), f'{what} is', f'{what}s are')} left out; the first is {bad[0]}"
