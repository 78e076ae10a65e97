"""Write a report down: one HTML page, Markdown, or JSON with numbers as numbers."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

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
    Section,
    Strong,
    Table,
    Text,
    Words,
    plain,
)
from ser_pipeline.runs.read import Run, Unfinished
from ser_pipeline.runs.types import Unread


def html_page(report: Report) -> str:
    """Write the page: styles, script and drawings are inside, everything else is escaped.

    The page's own policy forbids every load and every script but the one that sorts tables,
    which is named by its hash.
    """
    environment = Environment(
        loader=PackageLoader("ser_pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # a drawing is matplotlib's own XML, parsed and written again: the one thing not to escape
    environment.filters["drawing"] = Markup
    environment.filters["kind"] = lambda block: type(block).__name__
    script = _template("sort.js")
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup(_template("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _template(name: str) -> str:
    return (files("ser_pipeline.report") / "templates" / name).read_text(encoding="utf-8")


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
        lines += _markdown_block(block, figures)
    for section in report.sections:
        lines += [f"{'#' * section.level} {escaped(section.title)}{_marks(section.marks)}", ""]
        for block in section.blocks:
            lines += _markdown_block(block, figures)
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    r"""Write text so that Markdown shows it as it is, on one line.

    Examples:
        >>> print(escaped("a_b *c* <d>"), escaped("# e"))
        a_b \*c\* \<d\> \# e
    """
    one_line = _SPACE.sub(" ", text)
    return _LEADING.sub(r"\1\\", _SPECIAL.sub(r"\\\g<0>", one_line))


def _markdown_block(block: Block, figures: str) -> list[str]:
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
            return _markdown_figure(block, figures)
        case Table():
            return _markdown_table(block)


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


def _markdown_figure(figure: Figure, figures: str) -> list[str]:
    drawings = [f"![{escaped(panel.alt)}]({figures}/{panel.name}.png)" for panel in figure.panels]
    return [*drawings, "", f"*{figure.label}: {escaped(figure.caption)}.*{_marks(figure.marks)}", ""]


def _markdown_table(table: Table) -> list[str]:
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
    first, *others = (_markdown_cell(cell) for cell in row.cells)
    return [first + _marks(row.marks), *others]


def _markdown_cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.strong and text:
        text = f"**{text}**"
    return f"{text} ({escaped(cell.note)})" if cell.note else text


SCHEMA_VERSION = 1


def json_text(
    report: Report,
    runs: Sequence[Run],
    unfinished: Sequence[Unfinished],
    unread: Sequence[Unread] = (),
) -> str:
    """Write the report for programs: its blocks, and every run's settings and scores in full.

    Scores and shares are in [0, 1]; a number that does not exist is null.
    """
    whole = {
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "banner": report.banner or None,
        "opening": [_json_block(block) for block in report.opening],
        "sections": [_section(section) for section in report.sections],
        "runs": [
            {
                "tag": run.tag,
                "name": run.info.name,
                "settings": run.info.model_dump(mode="json"),
                "scores": run.scores.model_dump(mode="json"),
            }
            for run in runs
        ],
        "unfinished": [run.name for run in unfinished],
        "unread": [{"kind": entry.kind, "name": entry.name, "reason": entry.reason} for entry in unread],
    }
    return json.dumps(_finite(whole), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "level": section.level,
        "marks": list(section.marks),
        "blocks": [_json_block(block) for block in section.blocks],
    }


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
        case _:
            return value


def _json_block(block: Block) -> dict[str, Any]:
    match block:
        case Text(words):
            return {"type": "text", "text": plain(words)}
        case Callout(tone, words):
            return {"type": tone, "text": plain(words)}
        case Bullets(items):
            return {"type": "list", "items": [plain(item) for item in items]}
        case Facts(items):
            return {"type": "facts", "items": {name: plain(words) for name, words in items}}
        case Figure():
            return _json_figure(block)
        case Table():
            return _json_table(block)


def _json_figure(figure: Figure) -> dict[str, Any]:
    return {
        "type": "figure",
        "key": figure.key,
        "label": figure.label,
        "caption": figure.caption,
        "marks": list(figure.marks),
        "panels": [
            {"alt": panel.alt, "files": [f"figures/{panel.name}.{suffix}" for suffix in panel.suffixes]}
            for panel in figure.panels
        ],
    }


def _json_table(table: Table) -> dict[str, Any]:
    return {
        "type": "table",
        "key": table.key,
        "label": table.label,
        "caption": table.caption,
        "marks": list(table.marks),
        "columns": [column.title for column in table.columns],
        "groups": [
            {
                "title": group.title,
                "note": group.note,
                "marks": list(group.marks),
                "rows": [
                    {
                        "cells": [_json_cell(cell) for cell in row.cells],
                        "marks": list(row.marks),
                        "total": row.total,
                    }
                    for row in group.rows
                ],
            }
            for group in table.groups
        ],
        "notes": list(table.notes),
    }


def _json_cell(cell: Cell) -> dict[str, Any]:
    return {"value": cell.value, "text": cell.text} | ({"note": cell.note} if cell.note else {})
