"""Show a table on a screen, however wide it is.

Numbers stand right and are never broken. Where a table is wider than the screen, texts are wrapped
between words; if that is not enough, the long names of one column end in an ellipsis, or names that
people copy stand on lines of their own; and if that is not enough either, the table is turned on its
side: its rows stand beside each other, as many as fit, and the others below them. What is not printed
to a screen is never shortened, wrapped or left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final, TextIO, TypeVar

from ser_pipeline.tables.table import NO_BREAK, Row, RowGroup, Table, one_line

T = TypeVar("T")

GAP: Final = "  "
"""Between columns."""

LEAST_NAME: Final = 12
"""Letters of a name that are always shown, the ellipsis among them."""

ELLIPSIS: Final = "\u2026"
RULE: Final = "\u2500"
AROUND: Final = 4
"""Lines of a table beside its rows: a title, headings, a rule and a note."""

Line = tuple[str, str]
"""A line and its style, in the words of rich; empty for none."""


def print_table(
    table: Table,
    *,
    width: int | None = None,
    everything: bool = False,
    most: int | None = None,
    file: TextIO | None = None,
) -> None:
    """Print a table to a screen or a file.

    Args:
        table: to print.
        width: of the screen, in letters; None asks the screen, and takes as much as the table needs
            if there is none.
        everything: keep columns that are empty or zero in every row.
        most: lines of rows that a screen gets, as in :func:`first_rows`; None for all of them.
        file: to print to; standard output by default.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(file=file, highlight=False)
    if width is None and console.is_terminal:
        width = console.width
    if width is not None and most is not None:
        table = first_rows(table, most, width, everything=everything)
    for line, style in terminal_lines(table, width, everything=everything):
        console.print(Text(line, style), soft_wrap=True)


def first_rows(table: Table, most: int, width: int, *, everything: bool = False) -> Table:
    """The first rows of a table, and a note of how many more there are; a table that fits stays as it is.

    Args:
        table: to cut.
        most: lines that its rows may take; title, headings and the note come on top.
        width: of the screen, in letters.
        everything: keep columns that are empty or zero in every row.
    """

    def fits(cut: Table) -> bool:
        return len(terminal_lines(cut, width, everything=everything)) <= most + AROUND

    cut = table
    for number in range(min(most, len(table.rows) - 1), 0, -1):
        if fits(cut):
            break
        rest = len(table.rows) - number
        note = f"{rest} more {'row is' if rest == 1 else 'rows are'} not shown; --full shows all."
        cut = replace(table, groups=(RowGroup(table.rows[:number]),), notes=(*table.notes, note))
    return cut


def terminal_lines(table: Table, width: int | None, *, everything: bool = False) -> list[Line]:
    """Lay a table out.

    Args:
        table: to show.
        width: of the screen, in letters; None is no limit, and leaves no column out.
        everything: keep columns that are empty or zero in every row.

    Returns:
        Its lines, each with a style; with a width, none is wider unless a single number is.
    """
    shown, left_out = (table, []) if width is None or everything else table.telling()
    lines: list[Line] = []
    if table.heading:
        lines += ((line, "bold") for line in _wrapped(one_line(table.heading), width, cut=False))
    lines += _body(shown, width)
    notes = table.remarks
    if left_out:
        notes.append(f"Empty or 0 in every row: {', '.join(left_out)} ('ser --all-columns' shows them).")
    said = [line for note in notes for line in _wrapped(one_line(note), width, cut=False)]
    return lines + [(line.replace(NO_BREAK, " "), "dim") for line in said]


def _body(table: Table, width: int | None) -> Iterator[Line]:
    """Headings and rows, upright or turned."""
    headings = [one_line(heading) for heading in table.headings]
    right = [column.numeric for column in table.columns]
    groups = [(_group_title(group), [_texts(row) for row in group.rows]) for group in table.groups]
    whole = [column.numeric or column.whole for column in table.columns]
    lines = [headings, *(texts for _, rows in groups for texts in rows)]
    widths, above = _widths(lines, whole, width), False
    if widths is None and table.columns[0].whole:
        widths = _widths_below(lines, whole, width or 0)
        above = widths is not None
    if widths is not None:
        yield from _head(headings, widths, right, above=above)
    for (title, rows), group in zip(groups, table.groups, strict=True):
        if title:
            yield from ((line, "bold") for line in _wrapped(title, width, cut=False))
        if widths is None:
            yield from _turned(headings, rows, right, width or 0)
            continue
        name = ""
        for texts, row in zip(rows, group.rows, strict=True):
            again, name = name == texts[0], texts[0]
            if row.total:
                yield RULE * (sum(widths) + len(GAP) * (len(widths) - 1)), ""
            lines_of_row = list(_row(texts, widths, right, above=above))
            yield from ((line, "") for line in lines_of_row[1 if above and again else 0 :])


def _group_title(group: RowGroup) -> str:
    return one_line(group.title) + _marked(group.marks)


def _texts(row: Row) -> list[str]:
    texts = [one_line(f"{each.text} ({each.note})" if each.note else each.text) for each in row.entries]
    return [texts[0] + _marked(row.marks), *texts[1:]]


def _marked(marks: Sequence[str]) -> str:
    return f" [{', '.join(marks)}]" if marks else ""


def _head(
    headings: Sequence[str], widths: Sequence[int], right: Sequence[bool], *, above: bool = False
) -> Iterator[Line]:
    yield from ((line, "bold") for line in _row(headings, widths, right, above=above))
    yield GAP.join(RULE * width for width in widths), ""


def _row(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool], *, above: bool) -> Iterator[str]:
    """The lines of one row; its name stands on a line of its own ``above`` the others."""
    if above:
        yield texts[0].replace(NO_BREAK, " ")
        texts = ["", *texts[1:]]
    yield from _joined(texts, widths, right)


def _joined(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> Iterator[str]:
    """The lines of one row."""
    wrapped = [_wrapped(text, width) for text, width in zip(texts, widths, strict=True)]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = (
            " " * (width - _width(part)) + part if stands_right else part + " " * (width - _width(part))
            for part, width, stands_right in zip(parts, widths, right, strict=True)
        )
        yield GAP.join(padded).rstrip().replace(NO_BREAK, " ")


def _turned(
    headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], room: int
) -> Iterator[Line]:
    """The rows as columns beside their headings, as many as fit, and the others below after a gap."""
    stub = min(max(map(_width, headings)), room // 2)
    for number, band in enumerate(_bands(rows, room - stub - len(GAP))):
        if number:
            yield "", ""
        columns = [headings, *(_numbers_right(texts, right) for texts in band)]
        numeric = [False, *[all(right[1:])] * len(band)]
        lines = [list(texts) for texts in zip(*columns, strict=True)]
        rest = room - stub - len(GAP) * len(band)
        widths = [stub, *(min(max(map(_width, texts)), rest) for texts in columns[1:])]
        yield from _head(lines[0], widths, numeric)
        for texts in lines[1:]:
            yield from ((line, "") for line in _joined(texts, widths, numeric))


def _bands(rows: Sequence[Sequence[str]], room: int) -> Iterator[list[Sequence[str]]]:
    """Rows that fit beside each other; one that is too wide stands alone."""
    band: list[Sequence[str]] = []
    used = 0
    for texts in rows:
        needed = max(map(_width, texts))
        if band and used + len(GAP) + needed > room:
            yield band
            band, used = [], 0
        used += needed + (len(GAP) if band else 0)
        band.append(texts)
    if band:
        yield band


def _numbers_right(texts: Sequence[str], right: Sequence[bool]) -> list[str]:
    """Pad the numbers of a row to the width of its widest, for where they stand below texts."""
    widest = max((_width(text) for text, numeric in zip(texts, right, strict=True) if numeric), default=0)
    return [
        NO_BREAK * (widest - _width(text)) + text if numeric and text else text
        for text, numeric in zip(texts, right, strict=True)
    ]


def _widths(lines: Sequence[Sequence[str]], whole: Sequence[bool], room: int | None) -> list[int] | None:
    """Width of each column so that all fit; None where they cannot.

    Columns first lose what wrapping between words can spare, then the names of one column are shortened:
    with two of them shortened, such as paths and addresses, nobody could tell what they mean.
    """
    columns = list(zip(*lines, strict=True))
    natural = [max(map(_width, column)) for column in columns]
    words = [max(_width(word) for text in column for word in text.split(" ")) for column in columns]
    gaps = len(GAP) * (len(columns) - 1)
    if room is None or sum(natural) + gaps <= room:
        return natural
    for least in (words, _with_one_shortened(words, whole)):
        if sum(least) + gaps <= room:
            return _spread(least, natural, room - gaps)
    return None


def _widths_below(lines: Sequence[Sequence[str]], whole: Sequence[bool], room: int) -> list[int] | None:
    """Widths where names stand on lines of their own; None where a name or what is below it does not fit."""
    widths = _widths([texts[1:] for texts in lines], whole[1:], room - len(GAP))
    if widths is None or max(_width(texts[0]) for texts in lines) > room:
        return None
    return [0, *widths]


def _with_one_shortened(words: Sequence[int], whole: Sequence[bool]) -> list[int]:
    """Least widths where the column of the longest names may show them in part."""
    texts = [place for place, never in enumerate(whole) if not never]
    longest = max(texts, key=lambda place: words[place], default=None)
    return [min(word, LEAST_NAME) if place == longest else word for place, word in enumerate(words)]


def _spread(least: Sequence[int], natural: Sequence[int], room: int) -> list[int]:
    """Give what room is left to columns that are cut, always to the narrowest."""
    widths = list(least)
    for _ in range(room - sum(widths)):
        wanting = [place for place, width in enumerate(widths) if width < natural[place]]
        widths[min(wanting, key=widths.__getitem__)] += 1
    return widths


def prose(text: str, width: int, hang: int = 0) -> list[str]:
    """Break a line of prose between words; lines after the first are indented as the first is.

    Args:
        text: of one line.
        width: in columns of a terminal.
        hang: its first letters, as a heading, that stand left of all lines.

    Examples:
        >>> prose("  three small words", 14), prose("key  some words", 11, 5)
        (['  three small', '  words'], ['key  some', '     words'])
    """
    bare = text[hang:].lstrip(" ")
    begin = text[: len(text) - len(bare)]
    first, *others = _wrapped(bare, max(1, width - len(begin)), cut=False)
    return [begin + first, *(" " * len(begin) + line for line in others)]


def _wrapped(text: str, width: int | None, *, cut: bool = True) -> list[str]:
    """Break a text between words; a word that is too long ends in an ellipsis, or stays with ``cut`` off."""
    if width is None or _width(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        part = shortened(word, width) if cut else word
        joined = f"{lines[-1]} {part}" if lines[-1] else part
        if _width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines if lines[0] else lines[1:]


def shortened(word: str, width: int) -> str:
    """Cut a text to a width in columns of a terminal; an ellipsis stands for what is left out.

    Several words are cut between two of them.

    Examples:
        >>> shortened("recordings", 7) == "record" + ELLIPSIS, shortened("clips", 7)
        (True, 'clips')
        >>> shortened("for scientific research", 18) == "for scientific" + ELLIPSIS
        True
    """
    if _width(word) <= width:
        return word
    kept = word
    while kept and _width(kept) > width - 1:
        kept = kept[:-1]
    if " " in kept.lstrip() and word[len(kept)] != " ":
        kept = kept.rpartition(" ")[0]
    return kept.rstrip() + ELLIPSIS


def _width(text: str) -> int:
    """Columns of a terminal that a text takes: a Chinese letter takes two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
