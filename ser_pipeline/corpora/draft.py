"""A first description of a corpus, drafted from a look at its folder.

Names and folders are cut into fields (``shapes.py``); fields that take few values that look like
emotions, people, genders or levels are taken for them (``guesses.py``). Tables are read if they name
the recordings (``draft_tables.py``). Whatever is a guess is marked as one: the draft is there to be read.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora import Corpus
from ser_pipeline.corpora.described import Described, plain_id
from ser_pipeline.corpora.description import FACTS, OF_LINES
from ser_pipeline.corpora.draft_sheets import Recordings, Sheet, unread_columns, unread_tables
from ser_pipeline.corpora.draft_tables import LABELS, TableGuess, people_table, tables_of, unread_emotions
from ser_pipeline.corpora.files import is_recording, walk
from ser_pipeline.corpora.guess_speaker import find_others
from ser_pipeline.corpora.guesses import (
    MOST_EMOTIONS,
    Found,
    Guess,
    any_emotions,
    codes_in,
    find_emotion,
    find_part,
    where,
)
from ser_pipeline.corpora.languages import language_of_labels, language_of_text
from ser_pipeline.corpora.shapes import Field, Shape, shape_of
from ser_pipeline.corpora.tables import ANY_ENCODING, read_text, table_lines
from ser_pipeline.corpora.words import is_copy
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.records import Utterance

MOST_TEXTS: Final = 40
LARGEST_TEXT: Final = 1 << 22
TEXTS: Final = frozenset({".txt", ".md", ".rst", ".readme", ""})


@dataclass(frozen=True)
class Draft:
    """What a look at a folder found.

    Attributes:
        name: corpus id, from the folder's name.
        folder: the folder's own name.
        layout: path of one recording.
        pattern: of a path without suffix; "" if the rows come from a table.
        guesses: facts and where they are read.
        tables: that are read too.
        recordings: number of recordings.
        read: number of those that the pattern reads.
        language: BCP 47 tag that labels, texts or names speak for; "" for none.
        rivals: fields that may as well be the emotion, where nothing says what its codes mean.
        remarks: on tables that are not read, one line each.
    """

    name: str
    folder: str
    layout: str
    pattern: str
    guesses: tuple[Guess, ...]
    tables: tuple[TableGuess, ...]
    recordings: int
    read: int
    language: str = ""
    rivals: tuple[str, ...] = field(default=())
    remarks: tuple[str, ...] = ()

    def guess(self, fact: str) -> Guess | None:
        """What is known of a fact."""
        return next((each for each in self.guesses if each.fact == fact), None)


def draft(folder: Path, table: Path | None = None) -> Draft:
    """Look at a folder of recordings.

    Args:
        folder: of one corpus.
        table: the table below it that says the emotions; None looks for one, and believes names first.

    Raises:
        CorpusError: it is not a folder, holds no recording, nothing in it looks like emotions, or the table
            does not say which.
    """
    paths, others = _listing(folder)
    if not paths:
        raise CorpusError(f"{folder}: holds no recordings{_instead(folder, others)}")
    if table is not None and not table.is_file():
        raise CorpusError(f"{table}: no such file")
    shapes = _shapes(paths)
    fields = [each for shape in shapes for each in shape.fields]
    notes = _texts(folder, others)
    told = codes_in(notes)
    if table is not None:
        table_lines(table)  # what is wrong with it should not read as "no column"
        others = [PurePosixPath(table.relative_to(folder).as_posix())]
    understood, sheets = tables_of(folder, others, Recordings(paths, fields, find_part(fields)), told)
    read, columns = understood[0] if understood else (None, {})
    if table is not None and "emotion" not in columns:
        raise CorpusError(
            f"{table}: no column names the recordings below {folder}, or none says their emotions; "
            "a table beside its recordings needs both"
        )
    emotion, rivals = _emotion(fields, told, columns, read, believed=table is not None)
    heard = read is not None and (read.raters or "rater" in read.columns) and "emotion" in columns
    if emotion is not None and not (heard and columns["emotion"].sure):
        columns = {fact: each for fact, each in columns.items() if fact != "emotion"}
    elif "emotion" not in columns and not (read and (read.votes or _rated(columns))):
        unread = unread_emotions(sheets, Recordings(paths, fields), told)
        said = f"{folder}: {unread}" if unread else _no_emotion(folder, paths, fields)
        raise CorpusError(said + _broken(folder, others))
    found = [emotion] if emotion else []
    keyed = list(read.fields.values()) if read else []
    found += find_others(fields, emotion[0] if emotion else _as_field(read), columns, keyed)
    found, guesses, tables = _with_tables(found, columns, understood, sheets, fields)
    tables = [_with_remarks(each, sheets) for each in tables]
    files = [file for each in tables for file in each.files]
    chosen = [(guess.fact, each) for each, guess in found if each.level >= 0]
    chosen += [item for each in tables for item in each.fields.items()]
    pattern, matched = _pattern(shapes, chosen, paths)
    resolved = folder.resolve().name
    return Draft(
        name=id_of(folder),
        folder=resolved,
        layout=(matched or paths)[0].as_posix(),
        pattern=pattern,
        guesses=tuple(sorted(guesses, key=lambda each: FACTS.index(each.fact))),
        tables=tuple(tables),
        recordings=len(paths),
        read=len(matched),
        language=_language(guesses, [resolved, *notes]),
        rivals=rivals,
        remarks=tuple(unread_tables(sheets, files, Recordings(paths, fields), named=emotion is not None)),
    )


def id_of(folder: Path) -> str:
    """The corpus id that a folder's own name gives.

    Examples:
        >>> id_of(Path("Mój Zbiór")), id_of(Path("感情"))
        ('moj-zbior', 'corpus')
    """
    return plain_id(folder.resolve().name) or "corpus"


def _with_tables(
    found: list[Found],
    columns: Mapping[str, Guess],
    understood: Sequence[tuple[TableGuess, Mapping[str, Guess]]],
    sheets: Sequence[Sheet],
    fields: Sequence[Field],
) -> tuple[list[Found], list[Guess], list[TableGuess]]:
    """What names and tables say together: tables that name the recordings, and one of the people."""
    guesses = [*(guess for _, guess in found), *columns.values()]
    read = understood[0][0] if understood else None
    tables = []
    if read and (columns or read.votes):
        raters = read.raters if "emotion" in columns else ()
        heard = any(guess.fact == "emotion" for _, guess in found) and "rater" not in read.columns
        kept = {
            fact: column for fact, column in _kept(read, columns).items() if not (heard and fact == "emotion")
        }
        tables.append(replace(read, columns=kept, raters=raters))
    for also, more in understood[1:] if not any(table.rows for table in tables) else ():
        new = {fact: each for fact, each in more.items() if fact not in {each.fact for each in guesses}}
        if new and not also.rows and not also.fields and "emotion" not in new:
            tables.append(replace(also, columns=_kept(also, new), votes={}, raters=()))
            guesses += new.values()
    for speaker in _speakers(found, columns, fields):
        people = people_table(sheets, speaker[1], [each.fact for each in guesses])
        if people is not None:
            found = [speaker if each[1].fact == "speaker" else each for each in found]
            guesses = [speaker[1] if each.fact == "speaker" else each for each in guesses]
            return found, [*guesses, *people[1].values()], [*tables, people[0]]
    return found, guesses, tables


def _with_remarks(table: TableGuess, sheets: Sequence[Sheet]) -> TableGuess:
    """A table, with a remark on the columns that are not read."""
    used = [*table.key, *table.columns.values(), *chain(*table.votes.values()), *table.raters, *table.unread]
    used += [column for each in table.remarks for column in re.findall(r"column '(.*?)'", each)]
    return replace(table, remarks=(*table.remarks, *unread_columns(sheets, table.files, used)))


def _kept(read: TableGuess, columns: Mapping[str, Guess]) -> dict[str, str]:
    kept = {*columns, *(OF_LINES if read.rows else ("rater",))}
    return {fact: column for fact, column in read.columns.items() if fact in kept}


def _speakers(found: Sequence[Found], columns: Mapping[str, Guess], fields: Sequence[Field]) -> list[Found]:
    """Who speaks, as it was found, by the number in that code, and by the code around it: tables have any."""
    if "speaker" in columns:
        return [(Field(LABELS, (0, 1), ()), columns["speaker"])]
    whole = next((each for each in found if each[1].fact == "speaker" and not each[1].parts), None)
    if whole is None:
        return []
    numbers = [
        (each, replace(whole[1], counts=each.counts))
        for each in fields
        if not each.joined and len(each.counts) == len(whole[0].counts)
        and (whole[0].inside(each) or (each.inside(whole[0]) and all(map(str.isdecimal, each.counts))))
    ]  # fmt: skip
    return [whole, *numbers]


def _rated(columns: Mapping[str, Guess]) -> bool:
    return any(fact in columns for fact in DIMENSIONS)


def _emotion(
    fields: Sequence[Field],
    told: Mapping[str, str],
    columns: Mapping[str, Guess],
    read: TableGuess | None,
    *,
    believed: bool,
) -> tuple[Found | None, tuple[str, ...]]:
    """The field of the emotion, if names say it, and those that may as well be it.

    Names that leave no doubt come before a table, which has codes of its own; a table before a guess.
    """
    found = find_emotion(fields, told)
    if "emotion" in columns and (believed or found is None or not found[1].sure):
        return None, ()
    if found is not None or (read is not None and (read.votes or _rated(columns))):
        return found, ()
    likely = any_emotions(fields)
    return (
        (
            likely[0],
            tuple(f"{guess.source} ({some(sorted(guess.counts), show=6)})" for _, guess in likely[1:]),
        )
        if likely
        else (None, ())
    )


def _as_field(read: TableGuess | None) -> Field | None:
    """Labels of a table as a field, by which speakers are known: they say every emotion."""
    return Field(LABELS, (0, 1), read.labels) if read is not None and len({*read.labels}) > 1 else None


def _listing(folder: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    paths: list[PurePosixPath] = []
    others: list[PurePosixPath] = []
    for below in walk(folder):
        for name in below.files:
            kept = paths if is_recording(name) and not name.startswith(".") else others
            kept.append(below.path / name)
    return paths, others


VIDEOS: Final = frozenset({".avi", ".flv", ".mpg", ".mpeg", ".wmv"})
"""Suffixes of videos that are not recordings; from others ffmpeg takes the sound itself."""

ARCHIVES: Final = frozenset({".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".bz2", ".xz"})


def _instead(folder: Path, others: Sequence[PurePosixPath]) -> str:
    """What a folder without recordings holds instead, and what can be done."""
    kinds = Counter(path.suffix.lower() for path in others)
    if kinds[".parquet"] or kinds[".arrow"]:
        return (
            ", but tables that may hold them; 'ser manifest import parquet "
            f"{folder}' unpacks Parquet files of Hugging Face datasets"
        )
    for what, suffixes, remedy in (
        (
            "videos",
            VIDEOS,
            "extract their sound first, as with 'ffmpeg -i a.avi a.wav', and keep their names",
        ),
        ("archives", ARCHIVES, "unpack them first"),
    ):
        count = sum(kinds[suffix] for suffix in suffixes)
        if count:
            return f", but {count} {what}; {remedy}"
    return "; pass the folder of one corpus"


def _shapes(paths: Sequence[PurePosixPath]) -> list[Shape]:
    """Shapes of file names, of the folders that hold them, and so on as far out as nearly all have one."""
    depths = sorted(len(path.parts) for path in paths)
    depth = depths[math.floor((1 - USUALLY) * len(depths))]
    names = [[path.stem for path in paths]]
    for level in range(1, depth):
        names.append([path.parts[-1 - level] if len(path.parts) > level else "" for path in paths])
    return [shape_of(level, each) for level, each in enumerate(names)]


def _pattern(
    shapes: Sequence[Shape], chosen: Sequence[tuple[str, Field]], paths: Sequence[PurePosixPath]
) -> tuple[str, list[PurePosixPath]]:
    """Pattern of the end of a path, as short as tells recordings apart, and what it reads."""
    deepest = max((each.level for _, each in chosen), default=0)
    for top in range(deepest, len(shapes)):
        levels = [shape.pattern(chosen) if shape.level <= deepest else "[^/]+" for shape in shapes[: top + 1]]
        pattern = "/".join(reversed(levels))
        whole = re.compile(rf"(?s:.*/)?({pattern})")
        matches = [whole.fullmatch((path.parent / path.stem).as_posix()) for path in paths]
        ids = {match[1] for match in matches if match}
        read = [path for path, match in zip(paths, matches, strict=True) if match]
        if len(ids) >= USUALLY * len({_original(path) for path in read}):
            break
    return pattern, read


USUALLY: Final = 0.95
"""Share of recordings that must have an id of their own; the others are copies of one another."""


def _original(path: PurePosixPath) -> tuple[str, ...]:
    """What is left of a path if copies in other formats are one recording."""
    return (*(part for part in path.parts[:-1] if not is_copy(part)), path.stem)


def _texts(folder: Path, others: Sequence[PurePosixPath]) -> list[str]:
    """Texts beside the recordings that may explain them."""
    found = []
    for path in [path for path in others if path.suffix.lower() in TEXTS and len(path.parts) <= 3][
        :MOST_TEXTS
    ]:
        try:
            if (folder / path).stat().st_size <= LARGEST_TEXT:
                found.append(read_text(folder / path, ANY_ENCODING))
        except (CorpusError, OSError):
            continue
    return found


def _language(guesses: Sequence[Guess], notes: Sequence[str]) -> str:
    """The language that labels, transcripts, or texts about the corpus speak for; "" for none."""
    said = {guess.fact: list(guess.counts) for guess in guesses}
    if len(said.get("language", ())) > 1:
        return "mul"
    by_labels = language_of_labels(said.get("emotion", []))
    words = "\n".join([*said.get("text", [])[:SOME], *said.get("emotion", [])])
    return by_labels or language_of_text(words, "\n".join(notes)) or ""


def _no_emotion(folder: Path, paths: Sequence[PurePosixPath], fields: Sequence[Field]) -> str:
    few = [
        f"{where(each)}: {some([f'{code} ({count})' for code, count in each.counts.most_common(8)], show=8)}"
        for each in fields
        if len(each.counts) <= MOST_EMOTIONS
    ]
    found = f"; fields with few values are {'; '.join(few[:4])}" if few else ""
    return (
        f"{folder}: nothing in names like {paths[0].as_posix()!r} or in a table looks like emotions{found}; "
        "write the description yourself (docs/corpora/describe.md)"
    )


def _broken(folder: Path, others: Sequence[PurePosixPath]) -> str:
    """The first table that cannot be read, as it may be the one that says the emotions."""
    for path in others:
        if path.suffix.lower() in (".csv", ".tsv"):
            try:
                table_lines(folder / path)
            except CorpusError as error:
                return f"; {error}"
    return ""


def looks_like(folder: Path, corpora: Mapping[str, Corpus]) -> str | None:
    """Id of a described corpus whose names those of a folder are, though the folder is called otherwise."""
    paths, _ = _listing(folder)
    few = paths[:: max(1, len(paths) // SOME)]
    for name, corpus in corpora.items():
        named = isinstance(corpus, Described) and bool(corpus.description.pattern)
        if named and _fits(corpus, few) and _fits(corpus, paths):
            return name
    return None


SOME: Final = 200
"""Recordings that are looked at before all are."""


def _fits(corpus: Corpus, paths: Sequence[PurePosixPath]) -> bool:
    rows = sum(isinstance(corpus.parse(path), Utterance) for path in paths)
    return rows >= USUALLY * len(paths)
