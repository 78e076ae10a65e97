"""What the columns of tables say of recordings: by their headings, and else by their values."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.columns import (
    SEVERAL,
    genders_of,
    is_agreed,
    raters_among,
    unread_channels,
    votes_among,
)
from ser_pipeline.corpora.description import OF_LINES
from ser_pipeline.corpora.draft_sheets import (
    Recordings,
    Sheet,
    globbed,
    is_repeated,
    key_of_sheet,
    keys_of_lines,
    says_parts,
    sheets,
)
from ser_pipeline.corpora.files import key_of
from ser_pipeline.corpora.guess_speaker import called_like_people
from ser_pipeline.corpora.guesses import MOST_EMOTIONS, Guess, known, meanings
from ser_pipeline.corpora.shapes import Field
from ser_pipeline.corpora.values import majority_of, part_of_word
from ser_pipeline.corpora.words import (
    TIMES,
    emotion_of_word,
    facts_of_columns,
    gender_of_word,
    intensity_of_word,
    is_nobody,
    style_of_word,
)
from ser_pipeline.records import RATINGS
from ser_pipeline.tables.cells import plural

MOST_APART: Final = 5
"""Files with the same columns that are also looked at one by one, if together they make no sense."""

LABELS: Final = 99
"""Level of a field that is not part of a path."""


@dataclass(frozen=True)
class TableGuess:
    """A table that names the recordings, and its columns that are of use.

    Attributes:
        files: paths or a glob below the folder.
        key: columns that say what a line is about.
        match: what of a recording they are compared with.
        columns: fact -> column.
        votes: emotion -> columns.
        raters: columns of labels, each of which one listener chose.
        rows: whether its lines are the rows.
        heading: whether its first line names the columns.
        more: whether it has lines about something else.
        fields: group of the pattern that a key is compared with -> field of the names.
        labels: of each recording, "" where it has none.
        unread: columns of bounds, which only lines that are the rows can say.
        remarks: what else of it is not read, one line each.
        parts: codes of parts in a key -> parts.
    """

    files: tuple[str, ...]
    key: tuple[str, ...]
    match: tuple[str, ...]
    columns: Mapping[str, str]
    votes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    raters: tuple[str, ...] = ()
    rows: bool = False
    heading: bool = True
    more: bool = False
    fields: Mapping[str, Field] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)


Column = tuple[Guess, str]
"""What a column says, and its name."""

Understood = tuple[TableGuess, dict[str, Guess]]
"""A table, and what its columns say."""


def tables_of(
    folder: Path, others: Sequence[PurePosixPath], of: Recordings, told: Mapping[str, str]
) -> tuple[list[Understood], list[Sheet]]:
    """Tables that name the recordings, the one that says most of them first, and all that there are.

    Args:
        folder: of one corpus.
        others: its files that may be tables.
        of: its recordings.
        told: code -> emotion, as a text beside the recordings says.
    """
    seen = list(sheets(folder, others, {path.stem for path in of.paths}))
    found = []
    for sheet in seen:
        alone = (
            [sheet] if len(sheet.files) == 1 else sheet.by_file() if len(sheet.files) <= MOST_APART else []
        )
        together = _understood(folder, sheet, of, told)
        every = [together] if together else [_understood(folder, each, of, told) for each in alone]
        found += [each for each in every if each]
    found.sort(key=lambda each: -each[0])
    return [each[1:] for each in found], seen


def _understood(
    folder: Path, sheet: Sheet, of: Recordings, told: Mapping[str, str]
) -> tuple[float, TableGuess, dict[str, Guess]] | None:
    """How good a table is, its description, and what its columns say; None if it is of no use."""
    key = key_of_sheet(sheet, of)
    if key is None:
        return None
    share, columns, match, fields = key
    keys = of.keys(match, fields)
    there = set(keys)
    every = keys_of_lines(sheet, columns, match)
    about = [number for number, line in enumerate(every) if line in there]
    more = len(about) < 0.9 * len(every)
    sheet = Sheet(sheet.files, [sheet.lines[number] for number in about], sheet.heading)
    lines = [every[number] for number in about]
    again = is_repeated(sheet, key)
    raters = _raters(sheet, set(columns), told)
    facts = _facts(sheet, set(columns), told, raters)
    of_lines = {fact: facts.pop(fact) for fact in OF_LINES if fact in facts}
    if again and len(of_lines.keys() & TIMES) < 2 and "rater" not in of_lines:
        of_lines |= _bounds(sheet, {*columns, *(column for _, column in facts.values())})
    rows = again and len(columns) == 1 and len(of_lines.keys() & TIMES) > 1
    answers = "rater" in of_lines and not rows and len({*lines}) < len(lines)
    kept = {fact: each for fact, each in facts.items() if each is not None}
    votes = (
        {} if "emotion" in kept else votes_among({c: sheet.cells(c) for c in sheet.own if c not in columns})
    )
    unclear = again and not rows and not answers  # nobody knows what a line is about
    if unclear or not (kept or votes):
        return None
    emotion = kept.get("emotion", (None, ""))[1]
    labels = _labels(lines, sheet.cells(emotion)) if emotion else {}
    used = {fact: column for fact, (_, column) in kept.items() if column not in raters}
    also = of_lines if rows else {"rater": of_lines["rater"]} if answers else {}
    used |= {fact: column for fact, (_, column) in also.items()}
    guess = TableGuess(
        files=globbed(folder, sheet.files),
        key=columns,
        match=match,
        columns=used,
        votes=votes,
        raters=raters,
        rows=rows,
        heading=sheet.heading,
        more=more,
        fields=fields,
        labels=tuple(labels.get(key, "") for key in keys),
        unread=tuple(column for fact, (_, column) in of_lines.items() if fact in TIMES and not rows),
        remarks=tuple(unread_channels(sheet.lines)),
        parts=_parts(sheet, columns, match),
    )
    score = share + 0.1 * len(kept) + ("emotion" in kept or bool(votes)) + 0.1 * sheet.heading
    return score, guess, {fact: each for fact, (each, _) in kept.items()}


def _labels(lines: Sequence[tuple[str, ...]], cells: Sequence[str]) -> dict[tuple[str, ...], str]:
    """The label that most lines about the same give it."""
    met: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for line, cell in zip(lines, cells, strict=True):
        met[line][cell] += 1
    return {line: counts.most_common(1)[0][0] for line, counts in met.items()}


def unread_emotions(seen: Iterable[Sheet], of: Recordings, told: Mapping[str, str]) -> str:
    """Why a table that has a column of emotions is of no use; "" if none has one.

    Args:
        seen: the tables.
        of: the recordings that none of them tells apart.
        told: code -> emotion, as a text beside the recordings says.
    """
    for sheet in seen:
        key = key_of_sheet(sheet, of)
        emotion = _facts(sheet, set(key[1]) if key else set(), told).get("emotion")
        if emotion is not None:
            return f"the {emotion[0].source} holds emotions, but " + (
                SEVERAL if key else "no column of the table names the recordings"
            )
    return ""


def _parts(sheet: Sheet, columns: Sequence[str], match: Sequence[str]) -> dict[str, str]:
    """Codes of parts in the columns of a key -> parts."""
    return {
        cell: part
        for column, what in zip(columns, match, strict=True)
        if what == "part"
        for cell in sheet.cells(column)
        if (part := part_of_word(cell))
    }


def _bounds(sheet: Sheet, taken: set[str]) -> dict[str, Column]:
    """Two columns of which one is always the larger: where segments begin and end."""
    times = {}
    for column in sheet.own:
        cells = [cell.replace(",", ".") for cell in sheet.cells(column)]
        if column not in taken and all(re.fullmatch(r"\d+(\.\d+)?", cell) for cell in cells):
            times[column] = [float(cell) for cell in cells]
    for (start, low), (end, high) in pairwise(times.items()):
        if all(one < two for one, two in zip(low, high, strict=True)):
            return {
                fact: (Guess(fact, f"column {column!r} of {sheet.source}", Counter(), False), column)
                for fact, column in (("start", start), ("end", end))
            }
    return {}


def _facts(
    sheet: Sheet, key: set[str], told: Mapping[str, str], raters: Sequence[str] = ()
) -> dict[str, Column]:
    """What columns say, by their headings and else by their values: fact -> guess and column."""
    free = [column for column in sheet.own if column not in key and column not in raters]
    named = facts_of_columns([c for c in free if c]) if sheet.heading else {}
    counts = {column: Counter(filter(None, sheet.cells(column))) for column in free}
    found: dict[str, Column] = {}
    emotion = _emotion(sheet, counts, named, told)
    if raters:
        emotion = _of_raters(sheet, raters, told, emotion, named)
    if emotion is not None:
        found["emotion"] = emotion
    taken = {column for _, column in found.values()}
    for fact, column in named.items():
        if fact in ("path", "emotion") or column in taken:
            continue
        guess = _of_column(fact, f"column {column!r} of {sheet.source}", counts[column], len(sheet.lines))
        if guess is not None:
            found[fact] = guess, column
            taken.add(column)
    for column in (*free, "(file)"):
        met = counts[column] if column in counts else Counter(sheet.cells(column))
        said = None if column in taken or column in key else _by_values(met, found)
        if said:
            guess = _of_column(said, f"column {column!r} of {sheet.source}", met, len(sheet.lines))
            if guess is not None:
                found[said] = guess, column
                taken.add(column)
    return found


def _by_values(met: Mapping[str, int], found: Mapping[str, Column]) -> str | None:
    """The fact that values say by themselves."""
    if "part" not in found and says_parts(list(met)):
        return "part"
    genders = {gender_of_word(code) for code in met if not is_nobody(code)}
    if "gender" not in found and genders == {"female", "male"} and len(met) <= 4:
        return "gender"
    values = Field(LABELS, (0, 1), tuple(code for code, count in met.items() for _ in range(count)))
    few = 2 <= len(met) <= sum(met.values()) / 3
    return "speaker" if few and "speaker" not in found and called_like_people(values) else None


def _emotion(
    sheet: Sheet, counts: Mapping[str, Counter[str]], named: Mapping[str, str], told: Mapping[str, str]
) -> Column | None:
    """The column whose values are most like emotions, and of several the one that is called so."""
    found: list[tuple[float, Column]] = []
    for column, met in counts.items():
        called = named.get("emotion") == column
        if not 2 - called <= len(met) <= MOST_EMOTIONS or len(met) > max(len(sheet.lines) / 2, 2):
            continue
        codes, score = meanings(met, told)
        codes = codes or {code: word for code in met if called and (word := emotion_of_word(code))}
        if called or score > 0.5:
            guess = Guess(
                "emotion", f"column {column!r} of {sheet.source}", met, known(met, codes) > 0.9, codes
            )
            found.append((score + 0.5 * called, (guess, column)))
    found.sort(key=lambda each: -each[0])
    near = [each for score, each in found if score > found[0][0] - 0.2]
    if not near:
        return None
    guess, column = taken = _agreed(sheet, near) if len(near) > 2 else near[0]
    others = [each for _, each in found if each is not taken]
    return replace(guess, rivals=tuple(_rivals(sheet, taken, others))), column


def _raters(sheet: Sheet, key: set[str], told: Mapping[str, str]) -> tuple[str, ...]:
    """Columns of labels that hold the answers of one listener each."""
    counts = {column: Counter(filter(None, sheet.cells(column))) for column in sheet.own if column not in key}
    few = {column: met for column, met in counts.items() if 0 < len(met) <= MOST_EMOTIONS}
    return raters_among([column for column, met in few.items() if meanings(met, told)[1] > 0.5])


def _of_raters(
    sheet: Sheet,
    raters: Sequence[str],
    told: Mapping[str, str],
    other: Column | None,
    named: Mapping[str, str],
) -> Column:
    """The votes of listeners; or the other column of labels, if it is called so or is their majority."""
    answers = list(zip(*map(sheet.cells, raters), strict=True))
    met = Counter(label for line in answers for label in line if label)
    codes, _ = meanings(met, told)
    names = ", ".join(map(repr, raters))
    guess = Guess("emotion", f"columns {names} of {sheet.source}", met, known(met, codes) > 0.9, codes)
    if other is None:
        return guess, raters[0]
    gold, column = other
    chosen = [majority_of(Counter(codes.get(label, label) for label in line if label)) for line in answers]
    said = [gold.codes.get(label, label) for label in sheet.cells(column)]
    called = named.get("emotion") == column or is_agreed(column)
    if called or all(a == b for a, b in zip(chosen, said, strict=True) if a):
        return replace(gold, codes={**codes, **gold.codes}), column
    return replace(guess, rivals=(f"the {gold.source}, which is not always their majority",)), raters[0]


def _rivals(sheet: Sheet, taken: Column, others: Sequence[Column]) -> Iterator[str]:
    """Other columns of labels, where they say another emotion in some lines."""
    for guess, column in others:
        pairs = [
            (taken[0].codes.get(one, one), guess.codes.get(two, two))
            for one, two in zip(sheet.cells(taken[1]), sheet.cells(column), strict=True)
        ]
        differ = sum(one != two for one, two in pairs if one and two)
        if differ:
            yield f"the {guess.source}, which disagrees in {differ} of {plural(len(pairs), 'line')}"


def _agreed(sheet: Sheet, columns: Sequence[Column]) -> Column:
    """The column that agrees most with the others, the last of several: a majority follows its raters."""
    cells = [sheet.cells(column) for _, column in columns]
    alike = [sum(Counter(line)[cell] for cell, line in zip(each, zip(*cells, strict=True), strict=True))
             for each in cells]  # fmt: skip
    return columns[max(range(len(columns)), key=lambda at: (alike[at], at))]


def _of_column(fact: str, source: str, counts: Mapping[str, int], lines: int) -> Guess | None:
    """What a column says of a fact; None where its values are none of that fact."""
    if not counts:
        return None
    readers: Mapping[str, Callable[[str], str | None]]
    readers = {"gender": genders_of(counts).get, "intensity": intensity_of_word, "part": part_of_word,
               "style": style_of_word}  # fmt: skip
    if fact in readers:
        codes = {code: value for code in counts if (value := readers[fact](code))}
        return Guess(fact, source, counts, True, codes) if known(counts, codes) > 0.9 else None
    if fact == "age" and not all(re.fullmatch(r"\d{1,3}(\.0)?", code) for code in counts):
        return None
    if fact == "fold" and not all(re.fullmatch(r"\d{1,3}", code) for code in counts):
        return None
    if fact in RATINGS or fact in TIMES:
        numbers = [code.replace(",", ".") for code in counts]
        plain = all(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", number) for number in numbers)
        return Guess(fact, source, counts, fact in TIMES) if plain else None
    role = len(counts) <= 3 and all(len(code) == 1 for code in counts)  # A and B of every talk
    return Guess(fact, source, counts, fact != "speaker" or (len(counts) <= lines / 2 and not role))


def people_table(
    tables: Iterable[Sheet], speaker: Guess, told: Iterable[str]
) -> tuple[TableGuess, dict[str, Guess]] | None:
    """A table of the speakers, and what it says of them.

    Args:
        tables: of the folder.
        speaker: codes of the speakers.
        told: facts that are known already.
    """
    codes = {key_of("speaker", code) for code in speaker.counts}
    for sheet in tables:
        for column in sheet.own:
            cells = [key_of("speaker", cell) for cell in sheet.cells(column)]
            if len(set(cells)) < len(cells) or len(codes.intersection(cells)) < 0.8 * len(codes):
                continue
            facts = _facts(sheet, {column}, {})
            kept = {fact: each for fact, each in facts.items()
                    if fact in ("gender", "age", "language") and fact not in told}  # fmt: skip
            if kept:
                columns = {fact: name for fact, (_, name) in kept.items()}
                files = tuple(escape(file.as_posix()) for file in sheet.files)
                guess = TableGuess(files, (column,), ("speaker",), columns, heading=sheet.heading, more=True)
                return guess, {fact: each for fact, (each, _) in kept.items()}
    return None
