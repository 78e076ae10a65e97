"""CSV, or any other table that lists recordings: ``table.csv`` with a line for each."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ser_pipeline.corpora.columns import unread
from ser_pipeline.corpora.table_formats import noted
from ser_pipeline.corpora.tables import table_lines
from ser_pipeline.corpora.values import seconds_of, with_unit
from ser_pipeline.corpora.words import TIMES, facts_of_columns
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.exchange.items import VOTES, Foreign, Item, Places, Recordings, Row, columns_of

TABLE = "table.csv"


def read(path: Path, places: Places) -> Foreign:
    """Read a table, or the one that an export left in a folder.

    Raises:
        CorpusError: the table cannot be read, or no column gives paths or labels.
    """
    file = path / TABLE if path.is_dir() else path
    odd: list[str] = []
    lines = table_lines(file, odd)
    with noted(odd):
        columns = fact_columns(file, lines[0])
    odd += unread(lines, columns)
    named = [(line[columns["path"]].strip(), told(line, columns)) for line in lines]
    return Foreign([Item(name, places.find(name), facts) for name, facts in named], remarks=odd)


def write(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str) -> None:
    """Write ``table.csv``; paths are relative to it."""
    facts = columns_of(row.facts for row in rows)
    lines = [{"path": recordings.relative(row), **row.facts} for row in rows]
    write_csv(folder / TABLE, ["path", *facts], lines)


def write_csv(path: Path, columns: Sequence[str], lines: Sequence[Mapping[str, str]]) -> None:
    """Write a table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def fact_columns(file: Path, heading: Mapping[str, object], *, path: str | None = None) -> dict[str, str]:
    """Fact -> column of a table, votes among them.

    Args:
        file: for errors.
        heading: names of the columns.
        path: the column of the paths, where it is known; None finds it.

    Raises:
        CorpusError: no column gives paths or labels.
    """
    rest = [column for column in heading if column != path]
    columns = facts_of_columns(rest)
    if path is not None:
        columns["path"] = path
    for fact, what in (("path", "path of the recording"), ("emotion", "emotion")):
        if fact not in columns:
            raise CorpusError(
                f"{file}: no column gives the {what}; name it {fact!r} (found {some(list(heading))})"
            )
    return columns | {column: column for column in rest if column.startswith(VOTES)}


def told(line: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """Facts of a line, without its path; times have units, and a duration becomes an end.

    Examples:
        >>> told({"at_ms": "500", "for": "1,5"}, {"start": "at_ms", "duration": "for"})
        {'start': '500 ms', 'end': '2.000'}
    """
    found = {fact: str(line.get(column) or "").strip() for fact, column in columns.items() if fact != "path"}
    found |= {fact: with_unit(found[fact], columns[fact]) for fact in TIMES if fact in found}
    if (length := found.pop("duration", "")) and not found.get("end"):
        with suppress(ValueError):  # what is no time makes the line a reject
            length = f"{seconds_of(found.get('start') or '0') + seconds_of(length):.3f}"
        found["end"] = length
    return {fact: text for fact, text in found.items() if text}
