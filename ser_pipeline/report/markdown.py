"""Render a report as Markdown, for terminals, pull requests and wikis."""

import re
from collections.abc import Sequence

from ser_pipeline.report.document import (
    Block,
    Bullets,
    Callout,
    Cell,
    Code,
    Facts,
    Figure,
    Mark,
    Report,
    Row,
    Strong,
    Table,
    Text,
    Words,
)

_SPECIAL = re.compile(r"[\\`*\[\]<>|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_SPACE = re.compile(r"\s+")
_LEADING = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|-+\s*$))")


def markdown_text(report: Report, figures: str = "figures") -> str:
    """Write the report in GitHub's Markdown.

    Args:
        report: what to write.
        figures: folder of the drawings, relative to the file.
    """
    lines = [f"# {escaped(report.title)}", ""]
    if report.banner:
        lines += [f"> **{escaped(report.banner)}**", ""]
    for block in report.opening:
        lines += _block(block, figures)
    for section in report.sections:
        lines += [f"{'#' * section.level} {escaped(section.title)}{_marks(section.marks)}", ""]
        for block in section.blocks:
            lines += _block(block, figures)
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""Write text so that Markdown shows it as it is, on one line.

    Examples:
        >>> print(escaped("a_b *c* <d>"), escaped("# e"))
        a_b \*c\* \<d\> \# e
    """
    one_line = _SPACE.sub(" ", text)
    return _LEADING.sub(r"\1\\", _SPECIAL.sub(r"\\\g<0>", one_line))


def _block(block: Block, figures: str) -> list[str]:
    match block:
        case Text(words):
            return [_words(words), ""]
        case Callout(tone, words):
            return [f"> **{tone.capitalize()}:** {_words(words)}", ""]
        case Bullets(items):
            return [*(f"- {_words(item)}" for item in items), ""]
        case Facts(items):
            return [*(f"- **{escaped(name)}:** {_words(words)}" for name, words in items), ""]
        case Figure():
            return _figure(block, figures)
        case Table():
            return _table(block)


def _words(words: Sequence[Words]) -> str:
    return "".join(_word(word) for word in words)


def _word(word: Words) -> str:
    match word:
        case Code(text):
            return _code(text)
        case Strong(text):
            return f"**{escaped(text)}**"
        case str():
            return escaped(word)
        case _:
            return escaped(word.text)


def _code(text: str) -> str:
    """Fence code with more backticks than it holds."""
    one_line = _SPACE.sub(" ", text)
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {one_line} {fence}" if longest else f"`{one_line}`"


def _marks(marks: Sequence[Mark]) -> str:
    return f" **[{', '.join(marks)}]**" if marks else ""


def _figure(figure: Figure, figures: str) -> list[str]:
    drawings = [f"![{escaped(panel.alt)}]({figures}/{panel.name}.png)" for panel in figure.panels]
    return [*drawings, "", f"*{figure.label}: {escaped(figure.caption)}.*{_marks(figure.marks)}", ""]


def _table(table: Table) -> list[str]:
    """Write a table with padded columns, so that the source reads as a table too."""
    titles = [escaped(column.title) for column in table.columns]
    body: list[list[str]] = []
    for group in table.groups:
        if group.title:
            body.append([f"**{escaped(group.title)}**{_marks(group.marks)}"])
        body += [_row(row) for row in group.rows]
    whole = [cells for cells in [titles, *body] if len(cells) == len(titles)]
    widths = [max(3, *(len(cells[place]) for cells in whole)) for place in range(len(titles))]
    rules = [
        "-" * (width - 1) + ":" if column.numeric else "-" * width
        for width, column in zip(widths, table.columns, strict=True)
    ]
    notes = [
        *table.notes,
        *(f"{group.title}: {group.note}" for group in table.groups if group.title and group.note),
    ]
    return [
        f"**{table.label}: {escaped(table.caption)}**{_marks(table.marks)}",
        "",
        *(_line(cells, widths, table) for cells in [titles, rules, *body]),
        "",
        *(f"{escaped(note)}\n" for note in notes),
    ]


def _line(cells: Sequence[str], widths: Sequence[int], table: Table) -> str:
    filled = [*cells, *[""] * (len(widths) - len(cells))]
    padded = (
        text.rjust(width) if column.numeric else text.ljust(width)
        for text, width, column in zip(filled, widths, table.columns, strict=True)
    )
    return f"| {' | '.join(padded)} |"


def _row(row: Row) -> list[str]:
    first, *others = (_cell(cell) for cell in row.cells)
    return [first + _marks(row.marks), *others]


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.strong and text:
        text = f"**{text}**"
    return f"{text} ({escaped(cell.note)})" if cell.note else text
