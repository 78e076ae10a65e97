"""Tables below a folder: which files are tables, and how their lines name the recordings.

Files with the same columns are one table: one for each part, session or recording.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from glob import escape
from itertools import islice, product
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.columns import SEVERAL, are_repeated
from ser_pipeline.corpora.files import key_of
from ser_pipeline.corpora.shapes import Field
from ser_pipeline.corpora.table_formats import Row
from ser_pipeline.corpora.tables import read_any
from ser_pipeline.corpora.values import part_of_word
from ser_pipeline.corpora.words import columns_of_fact, emotion_of_word, letters
from ser_pipeline.errors import CorpusError, some

SUFFIXES: Final = frozenset(
    {
        *(".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".tab", ".xlsx", ".textgrid"),
        *(".lab", ".label", ".labels", ".ann", ".lst", ".list", ".scp", ".dat", ".text", ""),
    }
)
"""Suffixes of files that may be tables, in small letters."""

MOST_FILES: Final = 20_000
FEW: Final = 40
"""Up to so many files of a kind are all looked at; of more, some are, to see whether all are alike."""

LARGEST: Final = 1 << 28
"""Bytes of a file that is looked at."""

SURELY: Final = frozenset({".csv", ".tsv", ".tab", ".xlsx", ".parquet", ".json", ".jsonl", ".ndjson"})
"""Suffixes of files that hold nothing but tables."""

COVERED: Final = 0.5
"""Share of the recordings that a table names, or of its lines that name one, from which on it is theirs."""

MOST_PARTS: Final = 4
MOST_TRIED: Final = 200
"""Numbers in a name that columns are compared with, and ways to do so that are tried."""

OF_PATH: Final = ("(file)", "(folder)", "(path)")
"""Columns that the path of a file gives to its lines."""

Tried = tuple[tuple[str, ...], tuple[str, ...]]
"""Columns, and what they are compared with."""

Key = tuple[float, tuple[str, ...], tuple[str, ...], Mapping[str, Field]]
"""Share of the recordings that are named, columns, what they are compared with, and fields of names."""


@dataclass(frozen=True)
class Sheet:
    """Lines of files that have the same columns.

    Attributes:
        files: relative to the folder.
        lines: of all of them, with the columns that the files' own paths give.
        heading: whether the first line of each names the columns.
    """

    files: tuple[PurePosixPath, ...]
    lines: Sequence[Row]
    heading: bool

    @property
    def columns(self) -> list[str]:
        """Names of the columns; those of the path come last."""
        return list(self.lines[0])

    @property
    def own(self) -> list[str]:
        """Names of the columns that stand in the files."""
        return [column for column in self.columns if column not in OF_PATH]

    def cells(self, column: str) -> list[str]:
        """A column, from the first line to the last."""
        return [line.get(column, "").strip() for line in self.lines]

    def by_file(self) -> list["Sheet"]:
        """Each file as a table of its own."""
        names = [(file, file.with_suffix("").as_posix()) for file in self.files]
        lines = [(file, [line for line in self.lines if line["(path)"] == name]) for file, name in names]
        return [Sheet((file,), found, self.heading) for file, found in lines if found]

    @property
    def source(self) -> str:
        """Its files in words."""
        names = [file.as_posix() for file in self.files]
        return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


@dataclass(frozen=True)
class Recordings:
    """The recordings of a folder, and what lines of a table may call them.

    Attributes:
        paths: relative to the folder.
        fields: in which their names differ.
        part: the field of their parts, if one is.
    """

    paths: Sequence[PurePosixPath]
    fields: Sequence[Field]
    part: Field | None = None
    _of_paths: dict[str, list[str]] = field(default_factory=dict, compare=False)

    def _path_keys(self, what: str) -> list[str]:
        if what not in self._of_paths:
            texts = (path.parent.name if what == "folder" else path.as_posix() for path in self.paths)
            self._of_paths[what] = [key_of(what, text) for text in texts]
        return self._of_paths[what]

    def keys(self, match: Sequence[str], fields: Mapping[str, Field]) -> list[tuple[str, ...]]:
        """What is compared of each recording."""
        columns = []
        for what in match:
            if what in ("stem", "path", "folder", "folder/stem"):
                columns.append(self._path_keys(what))
            elif what == "part" and self.part is not None:
                columns.append([part_of_word(value) or value for value in self.part.values])
            else:
                columns.append([key_of(what, value) for value in fields[what].values])
        return list(zip(*columns, strict=True))


def sheets(folder: Path, others: Sequence[PurePosixPath], names: set[str]) -> Iterator[Sheet]:
    """Tables below a folder, those with the same columns as one.

    Args:
        folder: of one corpus.
        others: its files that are not recordings.
        names: of the recordings, without suffix.
    """
    kinds: dict[tuple[str, bool], list[PurePosixPath]] = defaultdict(list)
    for path in others:
        suffix = path.suffix.lower()
        if suffix in SUFFIXES and len(path.parts) <= 8 and not path.name.startswith("."):
            kinds[suffix or path.name, path.stem in names].append(path)
    for (_, _), places in sorted(kinds.items()):
        alike: dict[tuple[bool, tuple[str, ...]], list[tuple[PurePosixPath, list[Row]]]] = defaultdict(list)
        for heading in (True, False):
            for place in _some(folder, places, heading, names):
                lines = _read(folder, place, heading, names)
                if lines:
                    alike[heading, tuple(lines[0])].append((place, lines))
        for (heading, _), found in alike.items():
            files = tuple(place for place, _ in found)
            yield Sheet(files, [line for _, lines in found for line in lines], heading)


def _some(
    folder: Path, places: Sequence[PurePosixPath], heading: bool, names: set[str]
) -> Sequence[PurePosixPath]:
    """Files to read; if there are many, all or none, depending on whether a few of them are tables."""
    if len(places) <= FEW:
        return places
    tried = places[:: max(1, len(places) // FEW)][:FEW]
    tables = sum(bool(_read(folder, place, heading, names)) for place in tried)
    return places[:MOST_FILES] if 2 * tables > len(tried) else ()


def _read(folder: Path, place: PurePosixPath, heading: bool, names: set[str]) -> list[Row]:
    """Lines of a table; none where it is not a table, or has a heading where none is looked for."""
    text = place.suffix.lower() not in (".json", ".jsonl", ".ndjson", ".parquet", ".textgrid")
    if not heading and not text:
        return []
    try:
        if (folder / place).stat().st_size > LARGEST:
            return []
        lines = [line for _, line in read_any(folder / place, heading=heading)]
    except (CorpusError, OSError):
        return []
    if heading and text and _is_data(lines, names):
        return []
    path = {"(file)": place.stem, "(folder)": place.parent.name, "(path)": place.with_suffix("").as_posix()}
    return [{**line, **path} for line in lines]


def _is_data(lines: Sequence[Row], names: set[str]) -> bool:
    """Whether what was taken for a heading is a line like the others."""
    for column in lines[0]:
        if PurePosixPath(column).stem in names:
            return True
        if re.fullmatch(r"[-\d.,:]*\d[-\d.,:]*", column) or "/" in column or re.search(r"\.\w{2,4}$", column):
            return True
        if emotion_of_word(column) and any(line.get(column, "").strip() == column for line in lines):
            return True
    return False


def keys_of_lines(sheet: Sheet, columns: Sequence[str], match: Sequence[str]) -> list[tuple[str, ...]]:
    """What each line is looked up by.

    Args:
        sheet: the table.
        columns: of its key.
        match: what of a recording each of them is compared with.
    """
    read = [
        [
            (part_of_word(cell) or cell) if what == "part" else key_of(what, cell)
            for cell in sheet.cells(column)
        ]
        for column, what in zip(columns, match, strict=True)
    ]
    return list(zip(*read, strict=True))


def key_of_sheet(sheet: Sheet, of: Recordings) -> Key | None:
    """The columns that name the recordings; None if none do."""
    stems = Counter(path.stem for path in of.paths)
    alone = sum(count == 1 for count in stems.values()) >= 0.9 * len(of.paths)
    usual = {*map(letters, columns_of_fact("path"))}
    own = sorted(sheet.columns, key=lambda column: letters(column) not in usual)
    tries: list[Tried] = [((c,), ("path",)) for c in (*own, "(path)")]
    by_name: list[Tried] = [((column,), ("stem",)) for column in own if column not in ("(folder)", "(path)")]
    if alone:
        tries = by_name + tries
    else:
        folders = {key_of("folder", path.parent.name) for path in of.paths}
        holding = [
            c for c in sheet.own if folders.issuperset(key_of("folder", cell) for cell in sheet.cells(c))
        ]
        places = product(("(folder)", "(file)", *holding), (*own, "(file)"))
        tries += [((column,), ("folder/stem",)) for column in own]
        tries = [*tries, *((columns, ("folder", "stem")) for columns in places), *by_name]
    best: Key | None = None
    for columns, match in tries:
        share = _share(sheet, columns, match, of, {})
        if share > COVERED and (best is None or share > best[0] + 1e-9):
            best = share, columns, match, {}
    return best or _by_numbers(sheet, of)


def _share(
    sheet: Sheet,
    columns: Sequence[str],
    match: Sequence[str],
    of: Recordings,
    fields: Mapping[str, Field],
) -> float:
    """The larger share: of recordings that lines name, or of lines that name recordings."""
    keys = of.keys(match, fields)
    there = set(keys)
    few = Sheet(sheet.files, sheet.lines[:: max(1, len(sheet.lines) // 300)], sheet.heading)
    if not any(line in there for line in keys_of_lines(few, columns, match)):
        return 0.0
    lines = keys_of_lines(sheet, columns, match)
    named = there.intersection(lines)
    covered = sum(key in named for key in keys) / len(keys)
    fitting = sum(line in there for line in lines) / len(lines)
    return max(covered, fitting if covered > 0.05 else 0.0)


def _by_numbers(sheet: Sheet, of: Recordings) -> Key | None:
    """Columns that are the numbers in the names of the recordings, as of dialogue and turn."""
    fields = [
        each for each in of.fields
        if not (each.level or each.joined) and len(each.counts) > 1 and all(map(str.isdecimal, each.counts))
    ]  # fmt: skip
    if not 2 <= len(fields) <= MOST_PARTS:
        return None
    parts = [] if of.part is None else [c for c in ("(file)", *sheet.own) if says_parts(sheet.cells(c))][:1]
    met = {column: {key_of("", cell) for cell in sheet.cells(column)} for column in sheet.own}
    likely = [
        [column for column, cells in met.items() if {key_of("", value) for value in each.counts} <= cells]
        for each in fields
    ]
    for columns in islice(product(*likely), MOST_TRIED):
        groups = {_group(column): each for column, each in zip(columns, fields, strict=True)}
        key = ((*parts, *columns), (*["part"] * len(parts), *groups))
        share = _share(sheet, *key, of, groups) if len(groups) == len(fields) else 0.0
        if share > 0.9:
            return share, *key, groups
    return None


def _group(column: str) -> str:
    """A name for a group of the pattern that is compared with a column."""
    plain = re.sub(r"\W+", "_", column.lower(), flags=re.ASCII).strip("_")
    return f"its_{plain}"


def says_parts(cells: Sequence[str]) -> bool:
    """Whether all texts tell parts of a split, and there are several of them."""
    met = set(filter(None, cells))
    parts = set(map(part_of_word, met))
    return len(parts) >= 2 and None not in parts


def unread_tables(
    seen: Iterable[Sheet], read: Collection[str], of: Recordings, *, named: bool
) -> Iterator[str]:
    """A line on each table that is not read, and why.

    Args:
        seen: the tables of a folder.
        read: paths or globs of those that are read.
        of: the recordings.
        named: whether names say the emotion.
    """
    told: set[PurePosixPath] = set()
    for sheet in sorted(seen, key=lambda sheet: not sheet.heading):
        table = sheet.files[0].suffix.lower() in SURELY and told.isdisjoint(sheet.files)
        left = [f for f in sheet.files if not any(fnmatch(f.as_posix(), glob) for glob in read)]
        if not table or not left:
            continue
        told.update(sheet.files)
        paths = {file.with_suffix("").as_posix() for file in left}
        lines = [line for line in sheet.lines if line["(path)"] in paths]
        sheet = Sheet(tuple(left), lines, sheet.heading)
        key = key_of_sheet(sheet, of)
        if key is not None and is_repeated(sheet, key):
            why = SEVERAL
        elif key is None:
            why = "no column names the recordings, or those who speak in them"
        elif named:
            why = "names say the emotion, and it tells nothing else of each recording"
        else:
            why = "it tells nothing else of each recording"
        yield f"{sheet.source} is not read: {why} (columns {some(list(map(repr, sheet.own)), show=6)})"


def unread_columns(seen: Iterable[Sheet], files: Collection[str], used: Collection[str]) -> Iterator[str]:
    """A line on the columns of a table of which nothing is read.

    Args:
        seen: the tables of a folder.
        files: paths or globs of the table.
        used: its columns that are read.
    """
    for sheet in seen:
        if any(fnmatch(sheet.files[0].as_posix(), glob) for glob in files):
            left = [name for name in sheet.own if name and name not in used and any(sheet.cells(name))]
            if left and sheet.heading:
                one, are = ("column", "is") if len(left) == 1 else ("columns", "are")
                yield f"{one} {some(list(map(repr, left)), show=6)} of {sheet.source} {are} not read"
            return


def is_repeated(sheet: Sheet, key: Key) -> bool:
    """Whether more than a few recordings are named by several lines."""
    return are_repeated(keys_of_lines(sheet, key[1], key[2]))


def globbed(folder: Path, files: Sequence[PurePosixPath]) -> tuple[str, ...]:
    """One pattern that matches some files and no others; the files themselves where there is none."""
    paths = [file.as_posix() for file in files]
    if len(paths) == 1:
        return (escape(paths[0]),)
    if len({len(file.parts) for file in files}) == 1:
        glob = "/".join(map(_common, zip(*(file.parts for file in files), strict=True)))
    else:
        glob = f"**/*{files[0].suffix}"
    there = {path.relative_to(folder).as_posix() for path in folder.glob(glob)}
    return (glob,) if there == set(paths) or len(paths) > FEW else tuple(map(escape, paths))


def _common(names: Sequence[str]) -> str:
    """Pattern of some names: what they begin and end with, and an asterisk."""
    first, *rest = sorted(set(names), key=len)
    if not rest:
        return escape(first)
    before = next(at for at in range(len(first), -1, -1) if all(name.startswith(first[:at]) for name in rest))
    behind = next(
        at for at in range(before, len(first) + 1) if all(name.endswith(first[at:]) for name in rest)
    )
    return f"{escape(first[:before])}*{escape(first[behind:])}"
