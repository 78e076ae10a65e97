"""Write a table as HTML, Markdown, JSON or CSV; all rows, and every number in full."""

import base64
import csv
import io
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

from ser_pipeline.tables.table import Column, Entry, Row, RowGroup, Table, one_line

_SPECIAL: Final = re.compile(r"[\\`*\[\]<>|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_SPACE: Final = re.compile(r"\s+")
_LEADING: Final = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$))|(?=#{1,6}(?:\s|$)|[-+](?:\s|$)|-+\s*$))")
_LONG: Final = 24
"""Letters from which on a text may be wrapped on a page; the first entry of a row has more room."""
_LONG_NAME: Final = 40


def records(table: Table) -> list[dict[str, Any]]:
    """Give the rows as one mapping each, heading -> value.

    A table whose rows are grouped has the group's title under ``group`` too.

    Examples:
        >>> from ser_pipeline.tables.table import table_of
        >>> records(table_of("speed", ["work", "rate"], [["mels", 0.5]]))
        [{'work': 'mels', 'rate': 0.5}]
    """
    grouped = any(group.title for group in table.groups)
    return [
        ({"group": group.title} if grouped else {})
        | dict(zip(table.headings, (each.value for each in row.entries), strict=True))
        for group in table.groups
        for row in group.rows
    ]


def csv_text(table: Table) -> str:
    """Write a heading line and one line a row, with values in full; see :func:`records` for groups."""
    grouped = any(group.title for group in table.groups)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(["group"] if grouped else []), *table.headings])
    for group in table.groups:
        head = [group.title] if grouped else []
        writer.writerows([*head, *(each.value for each in row.entries)] for row in group.rows)
    return text.getvalue()


def json_table(table: Table) -> dict[str, Any]:
    """Give the table as a mapping with texts and values, as the JSON file of a report holds it."""
    return {
        "type": "table",
        "key": table.key,
        "label": table.title,
        "caption": table.caption,
        "marks": list(table.marks),
        "columns": table.headings,
        "groups": [_json_group(group) for group in table.groups],
        "notes": list(table.notes),
    }


def _json_group(group: RowGroup) -> dict[str, Any]:
    rows = [
        {
            "cells": [
                {"value": each.value, "text": each.text} | ({"note": each.note} if each.note else {})
                for each in row.entries
            ],
            "marks": list(row.marks),
            "total": row.total,
        }
        for row in group.rows
    ]
    return {"title": group.title, "note": group.note, "marks": list(group.marks), "rows": rows}


def escaped(text: str) -> str:
    r"""Write text so that Markdown shows it as it is, on one line.

    Examples:
        >>> print(escaped("a_b *c* <d>"), escaped("# e"))
        a_b \*c\* \<d\> \# e
    """
    line = one_line(_SPACE.sub(" ", text))
    return _LEADING.sub(r"\1\\", _SPECIAL.sub(r"\\\g<0>", line))


def marked(marks: Sequence[str]) -> str:
    """Write marks in Markdown, for the end of a line."""
    return f" **[{', '.join(marks)}]**" if marks else ""


def markdown_table(table: Table) -> list[str]:
    """Write the lines of GitHub's Markdown, columns padded, so that the source reads as a table too."""
    titles = [escaped(heading) for heading in table.headings]
    body: list[list[str]] = []
    for group in table.groups:
        if group.title:
            body.append([f"**{escaped(group.title)}**{marked(group.marks)}"])
        body += [_markdown_row(row) for row in group.rows]
    whole = [line for line in [titles, *body] if len(line) == len(titles)]
    widths = [max(3, *(len(line[place]) for line in whole)) for place in range(len(titles))]
    rules = [
        "-" * (width - 1) + ":" if column.numeric else "-" * width
        for width, column in zip(widths, table.columns, strict=True)
    ]
    return [
        *([f"**{escaped(table.heading)}**{marked(table.marks)}", ""] if table.heading else []),
        *(_markdown_line(line, widths, table.columns) for line in [titles, rules, *body]),
        "",
        *(f"{escaped(note)}\n" for note in table.remarks),
    ]


def _markdown_line(texts: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    filled = [*texts, *[""] * (len(widths) - len(texts))]
    padded = (
        text.rjust(width) if column.numeric else text.ljust(width)
        for text, width, column in zip(filled, widths, columns, strict=True)
    )
    return f"| {' | '.join(padded)} |"


def _markdown_row(row: Row) -> list[str]:
    first, *others = (_markdown_entry(each) for each in row.entries)
    return [first + marked(row.marks), *others]


def _markdown_entry(each: Entry) -> str:
    text = escaped(each.text)
    if each.strong and text:
        text = f"**{text}**"
    return f"{text} ({escaped(each.note)})" if each.note else text


def html_table(table: Table, *, sortable: bool = True) -> str:
    """Write the table, its notes below it, as HTML; every text is escaped.

    An entry's value stands in ``data-value``. Columns that say nothing are left out and named below.

    Args:
        table: to write.
        sortable: make headings buttons, for a script that sorts; a notebook has none.
    """
    table, left_out = table.telling()
    title = f"<b>{_text(table.title)}.</b> " if table.title else ""
    caption = f"{_text(table.caption)}." if table.caption else ""
    region, opening = _html_opening(escape(table.key))
    lines = [
        region,
        f"{opening}<span>{title}{caption}{_chips(table.marks)}</span></caption>",
        "<thead><tr>",
        *(_html_heading(column, sortable=sortable) for column in table.columns),
        "</tr></thead>",
    ]
    for group in table.groups:
        lines += ["<tbody>", *_html_group(group, table.columns), "</tbody>"]
    left = [f"Empty or 0 in every row: {', '.join(left_out)}."] if left_out else []
    notes = (f'<p class="note">{_text(note)}</p>' for note in (*table.notes, *left))
    return "\n".join([*lines, "</table>", "</div>", *notes]) + "\n"


def _html_opening(key: str) -> tuple[str, str]:
    """Tags of the whole and of the caption, which name each other by the table's key."""
    if not key:
        return '<div class="scroll">\n<table>', "<caption>"
    region = f'<div class="scroll" role="region" aria-labelledby="caption-{key}" tabindex="0">'
    return f'{region}\n<table id="table-{key}">', f'<caption id="caption-{key}">'


def _text(text: str) -> str:
    return escape(one_line(text))


def _chips(marks: Sequence[str]) -> str:
    kinds = (escape(mark.replace(" ", "-")) for mark in marks)
    return "".join(
        f' <span class="chip {kind}">{_text(mark)}</span>' for kind, mark in zip(kinds, marks, strict=True)
    )


def _html_heading(column: Column, *, sortable: bool) -> str:
    kind, shown = ("number", ' class="number"') if column.numeric else ("text", "")
    title = _text(column.heading)
    inner = f'<button type="button">{title}</button>' if sortable else title
    return f'<th scope="col" data-kind="{kind}"{shown}>{inner}</th>'


def _html_group(group: RowGroup, columns: Sequence[Column]) -> Iterator[str]:
    if group.title:
        note = f"<small>{_text(group.note)}</small>" if group.note else ""
        title = f"<span>{_text(group.title)}{_chips(group.marks)}{note}</span>"
        yield f'<tr class="group"><th scope="rowgroup" colspan="{len(columns)}">{title}</th></tr>'
    for row in group.rows:
        yield '<tr class="total">' if row.total else "<tr>"
        first, *others = row.entries
        long = ' class="long"' if len(first.note) > _LONG_NAME else ""
        name = _html_entry(first) + _chips(row.marks)
        yield f'<th scope="row"{long} data-value="{escape(first.text)}">{name}</th>'
        for each, column in zip(others, columns[1:], strict=True):
            yield f"<td{_html_attributes(each, column)}>{_html_entry(each)}</td>"
        yield "</tr>"


def _html_attributes(each: Entry, column: Column) -> str:
    kind, value, share = "", "", ""
    if column.numeric:
        kind = ' class="number"' if each.bar is None else ' class="number bar"'
    elif max(len(each.text), len(each.note)) > _LONG:
        kind = ' class="long"'
    if each.value is not None:
        value = f' data-value="{escape(str(each.value))}"'
    if each.bar is not None:
        share = f' style="--share: {min(max(100 * each.bar, 0), 100):.1f}%"'
    return kind + value + share


def _html_entry(each: Entry) -> str:
    text = _text(each.text)
    if each.target:
        text = f'<a href="#{escape(each.target)}">{text}</a>'
    elif each.strong:
        text = f"<strong>{text}</strong>"
    if each.sound:
        played = base64.b64encode(each.sound).decode()
        text += f'<audio controls preload="none" src="data:audio/mpeg;base64,{played}"></audio>'
    return f"{text}<small>{_text(each.note)}</small>" if each.note else text
