"""A first description of a corpus, drafted from a look at its folder.

Names and folders are cut into fields (``shapes.py``); fields that take few values that look like
emotions, people, genders or levels are taken for them. Tables are read if a column of theirs names
the recordings. Whatever is a guess is marked as one: the draft is there to be read.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora import Corpus
from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.files import is_recording, walk
from ser_pipeline.corpora.guesses import Guess, any_emotion, find_emotion, find_others, known, where
from ser_pipeline.corpora.shapes import Field, Shape, shape_of
from ser_pipeline.corpora.tables import ANY_ENCODING, read_any, read_text
from ser_pipeline.corpora.words import (
    emotion_of_word,
    emotions_of_codes,
    facts_of_columns,
    gender_of_word,
    intensity_of_word,
    is_copy,
)
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.records import Utterance

MOST_EMOTIONS: Final = 30
"""Different values that a field of emotions may have."""

MOST_TEXTS: Final = 40
LARGEST_TEXT: Final = 1 << 22
TABLES: Final = frozenset({".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".tab"})
TEXTS: Final = frozenset({".txt", ".md", ".rst", ".readme", ""})
_MEANS: Final = re.compile(r"(?=\b([^\W_]+)['\"]?[ \t]*([=:(|\t→-]|is|for|means)[ \t]*>?['\"]?([^\W_]+))")
"""Two words and what stands between them; every word may begin such a pair."""


@dataclass(frozen=True)
class TableGuess:
    """A table that names the recordings, and its columns that are of use."""

    file: str
    key: str
    match: str
    columns: Mapping[str, str]
    rows: bool


@dataclass(frozen=True)
class Draft:
    """What a look at a folder found.

    Attributes:
        name: corpus id, from the folder's name.
        folder: the folder's own name.
        layout: path of one recording.
        pattern: of a path without suffix; "" if the rows come from a table.
        guesses: facts and where they are read.
        table: that is read too.
        recordings: number of recordings.
        read: number of those that the pattern reads.
    """

    name: str
    folder: str
    layout: str
    pattern: str
    guesses: tuple[Guess, ...]
    table: TableGuess | None
    recordings: int
    read: int

    def guess(self, fact: str) -> Guess | None:
        """What is known of a fact."""
        return next((each for each in self.guesses if each.fact == fact), None)


def draft(folder: Path, table: Path | None = None) -> Draft:
    """Look at a folder of recordings.

    Args:
        folder: of one corpus.
        table: the table below it that says the emotions; None looks for one, and believes names first.

    Raises:
        CorpusError: it is no folder, holds no recording, nothing in it looks like emotions, or the table
            does not say which.
    """
    paths, others = _listing(folder)
    if not paths:
        raise CorpusError(f"{folder}: holds no recordings; pass the folder of one corpus")
    shapes = _shapes(paths)
    fields = [each for shape in shapes for each in shape.fields]
    if table is not None and not table.is_file():
        raise CorpusError(f"{table}: no such file")
    given = None if table is None else PurePosixPath(table.relative_to(folder).as_posix())
    told = _table(folder, paths, others if given is None else [given])
    emotion = find_emotion(fields, _read_me(folder, others))
    columns = dict(told[1]) if told else {}
    if given is not None and "emotion" not in columns:
        raise CorpusError(
            f"{table}: no column names the recordings below {folder}, or none says their emotions; "
            "a table beside its recordings needs both"
        )
    if "emotion" in columns:
        if given is not None or emotion is None or not emotion[1].sure:
            emotion = None
        else:
            del columns["emotion"]  # names that say it leave no doubt, and tables have codes of their own
    if "emotion" not in columns:
        emotion = emotion or any_emotion(fields)
    if emotion is None and "emotion" not in columns:
        raise CorpusError(_no_emotion(folder, paths, fields))
    found = [emotion] if emotion else []
    found += find_others(fields, emotion[0] if emotion else None, columns)
    chosen = [(guess.fact, each) for each, guess in found]
    guesses = [*(guess for _, guess in found), *columns.values()]
    pattern, read = _pattern(shapes, chosen, paths)
    resolved = folder.resolve().name
    return Draft(
        name=re.sub(r"[^a-z0-9]+", "-", resolved.lower()).strip("-") or "corpus",
        folder=resolved,
        layout=(read or paths)[0].as_posix(),
        pattern=pattern,
        guesses=tuple(guesses),
        table=replace(told[0], columns={f: c for f, c in told[0].columns.items() if f in columns})
        if told and columns
        else None,
        recordings=len(paths),
        read=len(read),
    )


def _listing(folder: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    paths: list[PurePosixPath] = []
    others: list[PurePosixPath] = []
    for below in walk(folder):
        for name in below.files:
            kept = paths if is_recording(name) and not name.startswith(".") else others
            kept.append(below.path / name)
    return paths, others


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


def _read_me(folder: Path, others: Sequence[PurePosixPath]) -> dict[str, str]:
    """Code -> emotion, where a text beside the recordings says so, as in ``A = anger`` or ``anger: 3``."""
    found: dict[str, Counter[str]] = {}
    texts = [path for path in others if path.suffix.lower() in TEXTS and len(path.parts) <= 3]
    for path in texts[:MOST_TEXTS]:
        place = folder / path
        try:
            if place.stat().st_size > LARGEST_TEXT:
                continue
            text = read_text(place, ANY_ENCODING)
        except (CorpusError, OSError):
            continue
        for one, sign, two in _MEANS.findall(text):
            for code, word in ((one, two), (two, one)):
                emotion = emotion_of_word(word) if len(word) > 2 else None
                if emotion is not None and len(code) <= 4 and emotion_of_word(code) is None:
                    found.setdefault(code, Counter())[emotion] += 9 if re.search("[=:→]", sign) else 1
    return {code: emotions.most_common(1)[0][0] for code, emotions in found.items()}


def _table(
    folder: Path, paths: Sequence[PurePosixPath], others: Sequence[PurePosixPath]
) -> tuple[TableGuess, dict[str, Guess]] | None:
    """The table that names most of the recordings, and what its columns say."""
    by = {"stem": {path.stem for path in paths}, "path": {(p.parent / p.stem).as_posix() for p in paths}}
    best: tuple[float, TableGuess, dict[str, Guess]] | None = None
    places = [path for path in others if path.suffix.lower() in TABLES and len(path.parts) <= 4]
    for place in places[:MOST_TEXTS]:
        try:
            lines = [line for _, line in read_any(folder / place)]
        except CorpusError:
            continue
        found = _columns(place.as_posix(), lines, by)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    return best[1:] if best else None


def _columns(
    name: str, lines: Sequence[Mapping[str, str]], by: Mapping[str, set[str]]
) -> tuple[float, TableGuess, dict[str, Guess]] | None:
    heading = [column for column in lines[0] if column]
    best: tuple[float, str | None, str] = (0.5, None, "")
    for column in lines[0]:
        cells = [PurePosixPath(line.get(column, "").strip().replace("\\", "/")) for line in lines[:5000]]
        bare = [cell.with_suffix("") if cell.suffix and len(cell.suffix) <= 5 else cell for cell in cells]
        for match, names in by.items():
            texts = [each.name if match == "stem" else each.as_posix() for each in bare]
            share = sum(text in names for text in texts) / len(texts)
            if share > best[0]:
                best = share, column, match
    share, key, match = best
    facts = facts_of_columns([column for column in heading if column != key])
    facts = {fact: column for fact, column in facts.items() if fact not in ("path", "part", "fold")}
    if key is None or not facts:
        return None
    repeated = len({line.get(key, "") for line in lines}) < len(lines) and "start" in facts and "end" in facts
    if not repeated:
        facts = {fact: column for fact, column in facts.items() if fact not in ("start", "end")}
    guesses = {fact: _of_column(fact, name, column, lines) for fact, column in facts.items()}
    kept = {fact: each for fact, each in guesses.items() if each is not None}
    if not kept:
        return None
    columns = {fact: facts[fact] for fact in kept}
    return share + 0.1 * len(kept), TableGuess(name, key, match, columns, repeated), kept


def _of_column(fact: str, name: str, column: str, lines: Sequence[Mapping[str, str]]) -> Guess | None:
    counts = Counter(line.get(column, "").strip() for line in lines)
    counts.pop("", None)
    source = f"column {column!r} of {name}"
    if not counts:
        return None
    if fact == "emotion":
        words = {code: word for code in counts if (word := emotion_of_word(code))}
        codes = words or emotions_of_codes(list(counts))
        few = 2 <= len(counts) <= MOST_EMOTIONS and len(counts) <= len(lines) / 2
        return Guess(fact, source, counts, known(counts, codes) > 0.9, codes) if codes or few else None
    if fact == "gender":
        codes = {code: gender for code in counts if (gender := gender_of_word(code))}
        return Guess(fact, source, counts, True, codes) if known(counts, codes) > 0.9 else None
    if fact == "intensity":
        codes = {code: level for code in counts if (level := intensity_of_word(code))}
        return Guess(fact, source, counts, True, codes) if known(counts, codes) > 0.9 else None
    if fact == "age" and not all(re.fullmatch(r"\d{1,3}(\.0)?", code) for code in counts):
        return None
    if fact in ("valence", "arousal", "dominance"):
        return _scale(fact, source, counts)
    return Guess(fact, source, counts, fact != "speaker" or len(counts) <= len(lines) / 2)


def _scale(fact: str, source: str, counts: Mapping[str, int]) -> Guess | None:
    try:
        values = [float(code.replace(",", ".")) for code in counts]
    except ValueError:
        return None
    if not all(map(math.isfinite, values)):
        return None
    return Guess(fact, source, counts, False)


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
