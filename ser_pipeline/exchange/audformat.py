"""Databases of audformat: ``db.yaml`` and a table ``db.NAME.csv`` or ``.parquet`` for each name in it.

A table is about files or about segments of them; columns have schemes, which may say what labels mean or
name a table with facts of each speaker. A table belongs to a split, which is a part.

References:
    https://audeering.github.io/audformat/data-introduction.html
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Final

import yaml

from ser_pipeline.corpora.languages import language_of_word, three_letters
from ser_pipeline.corpora.tables import read_text, table_lines
from ser_pipeline.corpora.values import seconds_of
from ser_pipeline.corpora.words import facts_of_columns, is_missing
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.exchange.items import VOTES, Foreign, Item, Places, Recordings, Row, columns_of
from ser_pipeline.exchange.table import write_csv
from ser_pipeline.records import PARTS

HEADER: Final = "db.yaml"
SPLITS: Final[Mapping[str, str]] = {"train": "train", "validation": "dev", "test": "test"}
"""Part -> type of a split."""

NUMBERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "age": {"dtype": "int", "minimum": 0},
    "fold": {"dtype": "int"},
    "valence": {"dtype": "float", "minimum": -1, "maximum": 1},
    "arousal": {"dtype": "float", "minimum": -1, "maximum": 1},
    "dominance": {"dtype": "float", "minimum": -1, "maximum": 1},
    "agreement": {"dtype": "float", "minimum": 0, "maximum": 1},
    "naturalness": {"dtype": "float", "minimum": 0, "maximum": 1},
    "rated_intensity": {"dtype": "float", "minimum": 0, "maximum": 1},
}
"""Fact -> its scheme, of those that are numbers."""

Key = tuple[str, str, str]
"""File, start and end; the bounds are empty where all of the file is meant."""

People = Callable[[str], Mapping[str, Mapping[str, str]]]
"""Name of a table -> label -> what the table says of it."""


def read(path: Path, places: Places) -> Foreign:
    """Read a database: the files and segments of all tables with a column of emotions.

    Raises:
        CorpusError: the header or a table is missing or cannot be read, a bound is no time, or no table has
            emotions.
    """
    folder = path.parent if path.is_file() else path
    header = _header(folder / HEADER if path.is_dir() else path)
    tables = _part(header, "tables")
    facts: dict[Key, dict[str, str]] = defaultdict(dict)
    labelled: dict[Key, None] = {}
    differ: Counter[str] = Counter()
    people = cache(partial(_people, folder))
    for name, table in tables.items():
        part, columns = _part_of(header, table), _columns(header, table, people)
        for line in _lines(folder, name):
            try:
                key = (line.get("file", ""), *_bounds(line))
            except ValueError as error:
                raise CorpusError(f"{folder / f'db.{name}'}: {error}") from None
            told = _told(columns, line)
            if "emotion" in told:
                labelled[key] = None
                told |= {"part": part} if part else {}
            differ.update(fact for fact, text in told.items() if facts[key].get(fact, text) != text)
            facts[key] = {**told, **facts[key]}
    if not labelled:
        raise CorpusError(
            f"{path}: no column of its tables gives the emotion (tables are {some(list(tables))})"
        )
    items = []
    for key in labelled:
        told = {**facts.get((key[0], "", ""), {}), **facts[key], "start": key[1], "end": key[2]}
        items.append(Item(key[0], places.find(key[0]), {fact: text for fact, text in told.items() if text}))
    return Foreign(items, _about(header), remarks=list(_differing(differ)))


def _differing(differ: Mapping[str, int]) -> Iterator[str]:
    """A line on how often tables say something else of a recording than an earlier one, by fact."""
    if differ:
        facts = some([f"{fact} ({count})" for fact, count in differ.items()])
        yield f"its tables contradict each other in {facts}; what the first of them in {HEADER} says counts"


def _header(path: Path) -> Mapping[str, Any]:
    try:
        header = yaml.safe_load(read_text(path))
    except (CorpusError, yaml.YAMLError) as error:
        raise CorpusError(f"{path}: is not a header of a database ({str(error).splitlines()[0]})") from None
    if not isinstance(header, dict) or not isinstance(header.get("tables"), dict):
        raise CorpusError(f"{path}: is not a header of a database; it has no 'tables'")
    return header


def _part(header: Mapping[str, Any], name: str) -> Mapping[str, Mapping[str, Any]]:
    """A part of the header that is an object of objects; an empty one where it is missing."""
    found = header.get(name)
    objects = found.items() if isinstance(found, dict) else ()
    return {str(key): value if isinstance(value, dict) else {} for key, value in objects}


def _part_of(header: Mapping[str, Any], table: Mapping[str, Any]) -> str:
    kind = _part(header, "splits").get(str(table.get("split_id")), {}).get("type", "")
    return next((part for part, name in SPLITS.items() if name == kind), "")


def _lines(folder: Path, name: str) -> list[Mapping[str, str]]:
    """Lines of a table of the database.

    Raises:
        CorpusError: there is no such file of text or Parquet; pickles are not read.
    """
    files = [folder / f"db.{name}{suffix}" for suffix in (".csv", ".parquet")]
    file = next((each for each in files if each.is_file()), None)
    if file is None:
        raise CorpusError(f"{files[0]}: no such file, and none that ends with '.parquet'")
    return table_lines(file)


def _bounds(line: Mapping[str, str]) -> tuple[str, str]:
    """Start and end of a segment in seconds; empty where all of the file is meant."""
    start, end = (_seconds(line.get(name, "").strip()) for name in ("start", "end"))
    return ("", "") if not end and not float(start or 0) else (start or "0.000", end)


def _seconds(time: str) -> str:
    """A time as pandas writes it, or in seconds, in seconds; "" for none.

    Raises:
        ValueError: it is no time.

    Examples:
        >>> _seconds("1 days 00:01:01.500000"), _seconds("0:00:02"), _seconds("1.5"), _seconds("NaT")
        ('86461.500', '2.000', '1.500', '')
    """
    days, _, rest = time.rpartition(" days ")
    if is_missing(rest) or rest == "NaT":
        return ""
    return f"{int(days or 0) * 86_400 + seconds_of(rest):.3f}"


def _columns(
    header: Mapping[str, Any], table: Mapping[str, Any], people: People
) -> dict[str, Callable[[str], Mapping[str, str]]]:
    """Column of a table -> what its values say, of those that give a fact; found once for all lines."""
    columns, schemes = _part(table, "columns"), _part(header, "schemes")
    votes = {column: column for column in columns if column.startswith(VOTES)}
    found: dict[str, Callable[[str], Mapping[str, str]]] = {}
    for fact, column in {**facts_of_columns(list(columns)), **votes}.items():
        labels: Any = schemes.get(str(columns[column].get("scheme_id")), {}).get("labels")
        if isinstance(labels, str) and labels in _part(header, "misc_tables"):
            labels = people(labels)
        meant = _by_text(labels) if isinstance(labels, dict) else {}
        if fact not in ("path", "start", "end"):
            found[column] = lru_cache(1 << 12)(partial(_meaning, fact, meant))
    return found


def _meaning(fact: str, labels: Mapping[str, Any], value: str) -> dict[str, str]:
    """What a value says of a fact, and what its scheme says of the value."""
    more = labels.get(value)
    if isinstance(more, dict):
        told = {key: str(each) for key, each in _by_text(more).items() if each is not None}
        return {name: told[column] for name, column in facts_of_columns(list(told)).items()} | {fact: value}
    return {fact: more if isinstance(more, str) else value}


def _told(
    columns: Mapping[str, Callable[[str], Mapping[str, str]]], line: Mapping[str, str]
) -> dict[str, str]:
    """What a line says, and what schemes say of its labels."""
    found: dict[str, str] = {}
    for column, read in columns.items():
        if value := line.get(column, "").strip():
            found |= read(value)
    return found


def _by_text(told: Mapping[Any, Any]) -> dict[str, Any]:
    """An object of the header by what a table writes for its keys, of which YAML reads some as numbers."""
    return {str(key): value for key, value in told.items()}


def _people(folder: Path, name: str) -> Mapping[str, Mapping[str, str]]:
    """Lines of a table that says what labels mean, by its first column."""
    return {next(iter(line.values())): line for line in _lines(folder, name)}


def _about(header: Mapping[str, Any]) -> dict[str, str]:
    named = header.get("languages")
    languages = [language_of_word(str(each)) or "und" for each in (named if isinstance(named, list) else ())]
    return {
        "title": str(header.get("name") or ""),
        "language": languages[0] if len(languages) == 1 else "mul" if languages else "",
        "licence": str(header.get("license") or ""),
        "source": str(header.get("source") or ""),
    }


def write(folder: Path, rows: Sequence[Row], recordings: Recordings, name: str) -> None:
    """Write ``db.yaml`` and a table for each part, of files and of segments apart."""
    facts = [fact for fact in columns_of(row.facts for row in rows) if fact not in ("part", "start", "end")]
    groups: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.facts.get("part", ""), row.segment is not None].append(row)
    codes = three_letters()
    tables: dict[str, Any] = {}
    for (part, segments), own in groups.items():
        words = ["emotion", *([part] if part else []), *(["segments"] if segments else [])]
        table = {"type": "segmented" if segments else "filewise", **({"split_id": part} if part else {})}
        tables[".".join(words)] = table | {"columns": {fact: {"scheme_id": fact} for fact in facts}}
        bounds = ["start", "end"] if segments else []
        lines = [{"file": recordings.lasting(row), **row.facts, **_times(row)} for row in own]
        write_csv(folder / f"db.{'.'.join(words)}.csv", ["file", *bounds, *facts], lines)
    header = {
        "name": name,
        "source": "",
        "usage": "other",
        "languages": sorted({codes[tag] for row in rows if (tag := row.facts["language"]) in codes}),
        "schemes": {fact: _scheme(fact, rows) for fact in facts},
        "splits": {part: {"type": SPLITS[part]} for part in PARTS if any(part == key for key, _ in groups)},
        "tables": tables,
    }
    text = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    (folder / HEADER).write_text(text, encoding="utf-8", newline="\n")


def _times(row: Row) -> dict[str, str]:
    if row.segment is None:
        return {}
    start, end = row.segment
    return {"start": _time(start), "end": "" if end is None else _time(end)}


def _time(seconds: float) -> str:
    """A time as pandas writes it.

    Examples:
        >>> _time(3661.5)
        '0 days 01:01:01.500000'
    """
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24} days {hours % 24:02d}:{minutes:02d}:{rest / 1000:09.6f}"


def _scheme(fact: str, rows: Sequence[Row]) -> Mapping[str, Any]:
    if fact in ("emotion", "gender"):
        return {"dtype": "str", "labels": sorted({row.facts[fact] for row in rows if fact in row.facts})}
    return NUMBERS.get(fact, {"dtype": "int" if fact.startswith(VOTES) else "str"})
