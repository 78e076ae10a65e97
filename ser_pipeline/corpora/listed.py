"""Recordings of one's own that a table lists: three columns make a corpus.

The table becomes a description whose rows are its lines, and is read like any other. Columns are known by
their headings, labels by their words. Paths may be absolute, relative to the table or to the data folder,
or of another machine, Windows included.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Final

from ser_pipeline.corpora.columns import (
    answers_among,
    are_labels,
    counted,
    genders_of,
    of_raters,
    spellings_of,
    told_of,
    told_of_labels,
    unknown_languages,
    unknown_words,
    unread,
)
from ser_pipeline.corpora.described import Described, Named, plain_id
from ser_pipeline.corpora.description import Description, Scale, Table
from ser_pipeline.corpora.discover import UNKNOWN, Discovery, Found
from ser_pipeline.corpora.files import (
    Guarded,
    in_path_order,
    is_recording,
    slashed,
)
from ser_pipeline.corpora.guesses import MOST_EMOTIONS
from ser_pipeline.corpora.languages import language_of_word
from ser_pipeline.corpora.places import found_places
from ser_pipeline.corpora.sources import Lines
from ser_pipeline.corpora.table_formats import Row, noted
from ser_pipeline.corpora.tables import table_lines
from ser_pipeline.corpora.values import Values, usual_scales
from ser_pipeline.corpora.words import (
    TIMES,
    columns_of_fact,
    emotion_of_word,
    facts_of_columns,
    intensity_of_word,
    is_level,
    is_missing,
    rating_of_column,
    style_of_word,
)
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.labels import DIMENSIONS, EMOTIONS, OTHER
from ser_pipeline.records import RATINGS, Record, Reject, TableProblem, Utterance
from ser_pipeline.tables.cells import plural

SPREADSHEETS: Final = {".xls", ".ods", ".numbers"}
"""Suffixes of spreadsheets that are not read; of ``.xlsx`` the first sheet is."""


@dataclass
class Listed(Described):
    """A corpus that one table lists.

    Attributes:
        places: path as the table writes it, with slashes -> path of the recording.
        lost: path of a recording that is not there -> why.
        odd: fact -> texts of the table that are not values of it.
        voice: finds who speaks in a path; None where the table or nobody says it.
        remarks: what a user should know of how the table was read.
    """

    places: Mapping[str, PurePosixPath] = field(default_factory=dict)
    lost: Mapping[PurePosixPath, str] = field(default_factory=dict)
    odd: Mapping[str, Collection[str]] = field(default_factory=dict)
    voice: Guarded | None = None
    remarks: tuple[str, ...] = ()

    def scan(self, root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
        """Yield a row or reject for each line, in path order, and what the user should know of the table."""
        yield from super().scan(root, in_path_order({*self.places.values()}) if files is None else files)
        file = Path(self.description.tables[0].file).name
        yield from (TableProblem(self.CARD.name, file, line) for line in self.remarks)

    def _places(self, paths: Sequence[PurePosixPath]) -> Mapping[str, Sequence[PurePosixPath]]:
        return {name: [place] for name, place in self.places.items()}

    def _row(
        self, path: PurePosixPath, tables: Sequence[Lines], told: Named, seen: Sequence[set[str]] = ()
    ) -> Utterance | Reject:
        if path in self.lost:
            return Reject(self.CARD.name, path, self.lost[path])
        if self.odd:
            told = {fact: text for fact, text in told.items() if text not in self.odd.get(fact, ())}
        if self.voice is not None:
            match = self.voice.search(path.as_posix())
            if match is None or not match[1]:
                reason = f"{self.voice.where} finds no speaker in its path"
                return Reject(self.CARD.name, path, reason)
            told = {**told, "speaker": match[1]}
        return super()._row(path, tables, told, seen)


def listed_corpora(
    tables: Sequence[Path], data: Path, *, speaker_from: str | None = None
) -> tuple[dict[str, Listed], Discovery]:
    """Read tables that list recordings.

    Args:
        tables: CSV, TSV, JSON lines or Parquet; each becomes a corpus that is called like its file.
        data: folder that paths of recordings below it are relative to; others stay absolute.
        speaker_from: regular expression whose one group finds the speaker in a path, for tables without a
            column of speakers.

    Returns:
        Corpus id -> corpus, and which recordings it has.

    Raises:
        CorpusError: a table cannot be read, lacks a column or has no label that is an emotion, or
            ``speaker_from`` does not fit.
    """
    voice = None if speaker_from is None else _voice(speaker_from)
    names = _names(tables)
    corpora = {name: _listed(path, name, data, voice) for name, path in zip(names, tables, strict=True)}
    if voice is not None and not any(corpus.voice for corpus in corpora.values()):
        raise CorpusError(f"--speaker-from: {tables[0]} has a column of speakers; leave --speaker-from out")
    found = tuple(
        Found(name, PurePosixPath(), tuple(in_path_order({*corpus.places.values()})))
        for name, corpus in corpora.items()
    )
    return corpora, Discovery(found, (), ())


def _voice(text: str) -> Guarded:
    try:
        found = re.compile(text)
    except re.error as error:
        raise CorpusError(f"--speaker-from '{text}' is not a regular expression: {error}") from None
    if found.groups != 1:
        raise CorpusError(
            f"--speaker-from '{text}' has {plural(found.groups, 'group')}; put the part of the path that "
            "names the speaker into one group, as in '(spk[0-9]+)/'"
        )
    return Guarded(text, f"--speaker-from '{text}'")


def _names(tables: Sequence[Path]) -> list[str]:
    """An id for each table: its name in small letters; a number tells equal ones apart."""
    names: list[str] = []
    for path in tables:
        plain = plain_id(path.stem)
        plain = "own" if plain in ("", UNKNOWN) else plain
        numbered = (f"{plain}-{number}" for number in count(2))
        names.append(next(name for name in chain([plain], numbered) if name not in names))
    return names


def _listed(file: Path, name: str, data: Path, voice: Guarded | None) -> Listed:
    if file.suffix.lower() in SPREADSHEETS:
        raise CorpusError(f"{file}: is a spreadsheet; save it as CSV and pass that")
    ragged: list[str] = []
    lines = table_lines(file, ragged)
    raters, votes = answers_among(lines)
    with noted(ragged):
        columns = _columns(file, lines[0], raters, bool(votes))
    remarks = [*_by_recordings(lines, columns), *_by_words(lines, columns, raters, bool(votes))]
    votes = {} if "emotion" in columns else votes
    table = Table(file=str(file.absolute()), rows=True, columns=columns, votes=votes, raters=raters)
    met = {fact: Counter(line[column].strip() for line in lines) for fact, column in columns.items()}
    answers = Counter(line[column].strip() for line in lines for column in raters)
    labels: Mapping[str, int] = met.get("emotion", Counter()) + answers
    way_out = f"'ser manifest import csv {file} --data {data}' writes a description that you complete"
    codes = {"emotion": {OTHER: OTHER}}
    if labels:
        with noted(ragged):
            codes["emotion"] = _emotions(file, columns.get("emotion", ""), labels, way_out)
    refused = {label: _no_emotion(label) for label in labels if label and label not in codes["emotion"]}
    remarks += [*of_raters(table, columns.get("emotion")), *_rivals(lines, columns, raters)]
    remarks += told_of_labels(labels, codes["emotion"], way_out, several=bool(raters) or "rater" in columns)
    remarks += unread(lines, columns)
    codes["speaker"] = spellings_of(met.get("speaker", {}))
    remarks += told_of(met.get("speaker", ()), codes["speaker"])
    codes["gender"] = genders_of(met.get("gender", ()))
    remarks += unknown_words("gender", met.get("gender", {}), codes["gender"])
    codes["intensity"] = {word: how for word in met.get("intensity", ()) if (how := intensity_of_word(word))}
    codes["style"] = {word: style for word in met.get("style", ()) if (style := style_of_word(word))}
    if not codes["style"]:
        columns.pop("style", None)  # says something else
    tongues = met.get("language", Counter())
    codes["language"] = {word: language_of_word(word) or "und" for word in tongues if word}
    scales = usual_scales(met)
    remarks += [*unknown_languages(tongues), *_of_scales(scales, columns)]
    told = Description(
        name=name,
        title=name,
        language=_only(codes["language"].values()),
        facts={} if labels or votes else {"emotion": OTHER},
        codes=codes,
        refused={"emotion": refused},
        scales=scales,
        tables=(table,),
    )
    columns, odd, more = _readable(told, columns, met)
    told = told.model_copy(update={"tables": (table.model_copy(update={"columns": columns}),)})
    places, lost = found_places([slashed(path) for path in met["path"] if path], file, data)
    voice = None if "speaker" in columns else voice
    return Listed(told, own=True, places=places, lost=lost, voice=voice, odd=odd, remarks=(*remarks, *more))


def _columns(file: Path, first: Mapping[str, str], raters: Sequence[str], voted: bool) -> dict[str, str]:
    """Fact -> column; recordings that lie in the table itself come before paths.

    Raises:
        CorpusError: the column of paths is missing, or that of labels where there are no ratings either.
    """
    heading = list(first)
    columns = facts_of_columns([name for name in heading if name not in raters])
    inside = [name for name, cell in first.items() if cell.startswith("parquet://")]
    if inside:
        columns["path"] = inside[0]
    for fact, instead in (("path", ()), ("emotion", DIMENSIONS)):
        if not {fact, *instead} & {*columns} and not ((raters or voted) and fact == "emotion"):
            called = columns_of_fact(fact)
            what = "path of the recording" if fact == "path" else "emotion"
            close = [name for word in called for name in get_close_matches(word, heading, n=1, cutoff=0.7)]
            hint = f"; rename {close[0]!r} if it is meant" if close else ""
            raise CorpusError(
                f"{file}: no column gives the {what}; name it {', '.join(called[:3])} or {called[3]} "
                f"(found {some(list(heading))}){hint}"
            )
    return columns


def _by_recordings(lines: Sequence[Row], columns: dict[str, str]) -> Iterator[str]:
    """Take another column for the path if no cell of that one ends as recordings do; say so."""
    called = columns["path"]
    if any(is_recording(line[called].strip()) or "::" in line[called] for line in lines):
        return
    free = [name for name in lines[0] if name not in columns.values()]
    other = next((name for name in free if all(is_recording(line[name].strip()) for line in lines)), None)
    if other is not None:
        columns["path"] = other
        yield f"column {called!r} names no recordings; they are read from column {other!r}"


def _by_words(
    lines: Sequence[Row], columns: dict[str, str], raters: Sequence[str], voted: bool
) -> Iterator[str]:
    """Take another column for the emotion if that of labels has numbers where others have words; say so."""
    called = columns.get("emotion")
    if called is None or any(emotion_of_word(line[called]) for line in lines):
        return
    taken = {*columns.values(), *raters}
    free = [name for name in lines[0] if name not in taken and "pred" not in name.lower()]
    words = next((name for name in free if are_labels(name, [line[name] for line in lines])), None)
    if words is not None:
        columns["emotion"] = words
        yield f"column {called!r} holds no words for emotions; labels are read from column {words!r}"
    elif raters or voted:
        del columns["emotion"]
        yield f"column {called!r} holds no words for emotions, and is not read"


def _emotions(file: Path, column: str, met: Mapping[str, int], way_out: str) -> dict[str, str]:
    """Label -> emotion, of those labels that are one.

    Raises:
        CorpusError: none of them is; says how to tell what codes mean, if that is what they may be.
    """
    known = {label: emotion for label in met if label and (emotion := emotion_of_word(label))}
    if not known:
        hint = f"; if they are codes or words for emotions, {way_out}"
        raise CorpusError(
            f"{file}: no label in its column {column!r} is an emotion: {counted(met)}; valid are "
            f"{', '.join(EMOTIONS)}, and usual words and abbreviations for them in many languages"
            f"{hint if 0 < len({*met} - {''}) <= MOST_EMOTIONS else ''}"
        )
    return known


def _no_emotion(label: str) -> str:
    if is_missing(label):
        return f"no label: {label!r} stands where one is missing"
    if any(map(str.isalpha, label)) and is_level(label):
        return f"label {label!r} says how strong an emotion is, not which"
    return f"label {label!r} is not a known emotion"


def _rivals(lines: Sequence[Row], columns: Mapping[str, str], raters: Sequence[str]) -> Iterator[str]:
    """Columns that say a fact otherwise than the one it is read from: of labels, and with its heading."""
    headings = {column: fact for fact, column in columns.items()}
    for other in [column for column in lines[0] if column not in headings and column not in raters]:
        fact = headings.get(re.sub(r" \(\d+\)$", "", other))
        fact = fact or next((each for each in (rating_of_column(other),) if each in columns), None)
        if fact is None and "emotion" in columns and are_labels(other, [line[other] for line in lines]):
            fact = "emotion"
        if fact is None:
            continue
        pairs = [(line[columns[fact]].strip(), line[other].strip()) for line in lines]
        if fact == "emotion":
            pairs = [(emotion_of_word(one) or one, emotion_of_word(two) or "") for one, two in pairs]
        differ = sum(one != two for one, two in pairs if one and two)
        if differ:
            yield (
                f"column {columns[fact]!r} is read as {fact}; column {other!r} disagrees in {differ} of "
                f"{plural(len(lines), 'line')}"
            )


def _of_scales(scales: Mapping[str, Scale], columns: Mapping[str, str]) -> Iterator[str]:
    """A line for each scale: which columns are read by it, and as what if they are called otherwise."""
    by_scale: dict[Scale, list[str]] = defaultdict(list)
    for fact, scale in scales.items():
        column = columns[fact]
        by_scale[scale].append(f"{column!r}{'' if fact in column.lower() else f' ({fact})'}")
    for (low, high), names in by_scale.items():
        several = f"columns {', '.join(names)} are" if len(names) > 1 else f"column {names[0]} is"
        yield f"{several} read as ratings from {low:g} to {high:g}"


def _only(tags: Iterable[str]) -> str:
    """The language of all recordings, where it is one."""
    found = {*tags}
    tag = found.pop() if len(found) == 1 else ""
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", tag) else "und" if not found else "mul"


def _readable(
    told: Description, columns: Mapping[str, str], met: Mapping[str, Mapping[str, int]]
) -> tuple[dict[str, str], dict[str, set[str]], list[str]]:
    """The columns of which any value can be read, the values that cannot be, and a line on each of these.

    Labels, paths and bounds are needed, so a line whose value cannot be read is a reject of its own.
    """
    values, kept, odd, lines = Values(told), dict(columns), dict[str, set[str]](), []
    for fact in columns.keys() - {"path", "emotion", "speaker", *TIMES}:
        cells = {text: count for text, count in met[fact].items() if text}
        errors = {text: error for text in cells if (error := _error(values, fact, text))}
        if not errors:
            continue
        none = len(errors) == len(cells)
        if none or (fact in RATINGS and fact not in told.scales):
            many = plural(sum(cells.values()), "value")
            why = f"none of its {many} can be read" if none else f"its {many} fit no usual scale"
            lines.append(
                f"column {kept.pop(fact)!r} is left out: {why}: {counted(cells)}; "
                f"{next(iter(errors.values()))}; rename it if it is not {fact}, or describe the corpus "
                "(docs/corpora/describe.md)"
            )
            continue
        odd[fact] = {*errors}
        bad = {text: cells[text] for text in errors}
        lines.append(
            f"column {columns[fact]!r}: {sum(bad.values())} of {plural(sum(cells.values()), 'value')} cannot "
            f"be read and are left out: {counted(bad)}"
        )
    return kept, odd, sorted(lines)


def _error(values: Values, fact: str, text: str) -> str:
    """Why a value cannot be read; "" if it can."""
    try:
        values.of(fact, text)
    except ValueError as error:
        return str(error)
    return ""
