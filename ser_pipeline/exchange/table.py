"""CSV, or any other table that lists recordings: ``table.csv`` with a line for each."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ser_pipeline.corpora.columns import answers_among, of_raters, unread
from ser_pipeline.corpora.description import Table
from ser_pipeline.corpora.files import slashed
from ser_pipeline.corpora.places import found_places
from ser_pipeline.corpora.table_formats import noted
from ser_pipeline.corpora.tables import table_lines
from ser_pipeline.corpora.values import seconds_of, votes_of, with_unit
from ser_pipeline.corpora.words import TIMES, emotion_of_word, facts_of_columns, is_missing
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.exchange.items import VOTES, Foreign, Item, Places, Recordings, Row, columns_of
from ser_pipeline.labels import OTHER
from ser_pipeline.tables.cells import plural

TABLE = "table.csv"


def read(path: Path, places: Places) -> Foreign:
    """Read a table, or the one that an export left in a folder.

    Raises:
        CorpusError: the table cannot be read, or no column gives paths or labels.
    """
    file = path / TABLE if path.is_dir() else path
    odd: list[str] = []
    lines = table_lines(file, odd)
    raters, votes = answers_among(lines)
    with noted(odd):
        columns = fact_columns(
            file, [name for name in lines[0] if name not in raters], voted=bool(raters or votes)
        )
    votes = {} if "emotion" in columns else votes
    table = Table(file=str(file), rows=True, columns={"path": columns["path"]}, votes=votes, raters=raters)
    odd += [*of_raters(table, columns.get("emotion")), *unread(lines, columns)]
    named = [(line[columns["path"]].strip(), told(line, columns) | _votes(line, table)) for line in lines]
    found = _found([name for name, _ in named], file, places, odd)
    return Foreign([Item(name, found[name], facts) for name, facts in named], remarks=odd)


def _votes(line: Mapping[str, str], table: Table) -> dict[str, str]:
    """How many listeners chose each emotion, as facts."""
    told = {emotion: [line[name] for name in names] for emotion, names in table.votes.items()}
    for name in table.raters:
        if not is_missing(line[name]):
            told.setdefault(emotion_of_word(line[name]) or OTHER, []).append("1")
    return {f"{VOTES}{emotion}": str(count) for emotion, count in votes_of(told).items()}


def _found(names: Sequence[str], file: Path, places: Places, odd: list[str]) -> dict[str, Path | None]:
    """Where recordings are; if none is where its path leads, they are looked for below the data folder.

    ``odd`` takes what is to be known of names that fit several recordings.

    Raises:
        CorpusError: all do.
    """
    found = {name: places.find(name) for name in names}
    if any(found.values()) or not places.folders:
        return found
    data = places.folders[-1]
    there, lost = found_places([slashed(name) for name in found], file, data)
    near = {name: there[slashed(name)] for name in found}
    several = [lost[place] for place in near.values() if "are called" in lost.get(place, "")]
    if several and len(several) == len(near):
        raise CorpusError(f"{file}: {several[0]}")
    if several:
        odd.append(f"{plural(len(several), 'name fits', 'names fit')} several recordings: {several[0]}")
    return {
        name: None if place in lost else Path(os.path.abspath(data / place)) for name, place in near.items()
    }


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


def fact_columns(
    file: Path, heading: Iterable[str], *, path: str | None = None, voted: bool = False
) -> dict[str, str]:
    """Fact -> column of a table, votes among them.

    Args:
        file: for errors.
        heading: names of the columns.
        path: the column of the paths, where it is known; None finds it.
        voted: whether other columns say what listeners chose, so that none needs to say the emotion.

    Raises:
        CorpusError: no column gives paths or labels.
    """
    rest = [column for column in heading if column != path]
    columns = facts_of_columns(rest)
    if path is not None:
        columns["path"] = path
    for fact, what in (("path", "path of the recording"), ("emotion", "emotion")):
        if fact not in columns and not (voted and fact == "emotion"):
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
