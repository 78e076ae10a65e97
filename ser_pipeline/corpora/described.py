"""A corpus that is read by its description.

Facts of a recording come from what holds for all recordings, its name, the person who speaks, tables and
side files, in this order; where two of these say who speaks or which emotion it is, they must agree.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ser_pipeline.corpora.description import ANY, FACTS, Description, Table, parts_of
from ser_pipeline.corpora.files import Guarded, key_of, listed, misnamed, slashed, stem
from ser_pipeline.corpora.languages import language_name
from ser_pipeline.corpora.places import of_several
from ser_pipeline.corpora.sources import Lines, key_for, lines_below, said_beside
from ser_pipeline.corpora.values import Values, majority_of, of_all, seconds_of, votes_of, with_unit
from ser_pipeline.corpora.words import TIMES, letters
from ser_pipeline.errors import CorpusError
from ser_pipeline.labels import DIMENSIONS, OTHER
from ser_pipeline.records import (
    UNKNOWN_SPEAKER,
    CorpusCard,
    MissingAudio,
    Record,
    Reject,
    TableProblem,
    Utterance,
)

Named = Mapping[str, str]
"""Group or fact -> what a name says."""

Line = tuple[int, Named]
"""Number of a line, and fact -> what it says."""

_NEVER: Final = re.compile(r"(?!)")


@dataclass
class Described:
    """A corpus that is read by its description; offers what the module of a corpus offers.

    Attributes:
        description: as it was read.
        own: whether it is the user's own and not one that is shipped.
        called: whether a folder's name is one that the corpus is kept under.
    """

    description: Description
    own: bool = False
    CARD: CorpusCard = field(init=False)
    EMOTIONS: Mapping[str, str] = field(init=False)
    NAME: re.Pattern[str] = field(init=False)
    TRACES: re.Pattern[str] = field(init=False, default=_NEVER)
    called: Callable[[str], bool] = field(init=False)
    _values: Values = field(init=False)

    def __post_init__(self) -> None:
        """Prepare codes and patterns, and try the description on its own example.

        Raises:
            CorpusError: facts that hold for all or for a person do not fit, or the pattern does not
                read the layout.
        """
        told = self.description
        card: dict[str, Any] = {each.name: getattr(told, each.name, ()) for each in fields(CorpusCard)} | {
            "title": told.title or told.name,
            "language_name": language_name(told.language),
            "layout": told.layout or "any path that its table names",
            "folders": (),
            "licence": told.licence or "not stated",
            "source": told.source or "not stated",
            "people": tuple(told.people) if len(told.people) == told.speakers else (),
        }
        self.CARD = CorpusCard(**card)
        self.EMOTIONS = {code: parts_of(mixed)[0] for code, mixed in told.codes.get("emotion", {}).items()}
        tables = [table.file for table in told.tables if "/" not in table.file and "*" not in table.file]
        if told.anywhere and tables:
            self.TRACES = re.compile("|".join(map(re.escape, tables)), re.IGNORECASE)
        flags = re.IGNORECASE if told.ignore_case else 0
        self.NAME = re.compile(rf"(?s:.*/)?({told.pattern})", flags) if told.pattern else _NEVER
        self._name = self._guarded(self.NAME.pattern, repr(told.pattern), flags) if told.pattern else _NEVER
        around = f"(?s:.*/)?(?:{told.around})"
        self._around = self._guarded(around, f"{told.around!r} of folders") if told.around else _NEVER
        self._said_around = lru_cache(lambda folder: self._values.named(self._around.fullmatch(folder)))
        self._values = Values(told)
        self._folders = [self._guarded(each, f"{each!r} of folders") for each in told.folders]
        self.called = lru_cache(maxsize=1 << 14)(self._is_called)
        of_all = {"language": told.language, "style": told.style, "modality": told.modality}
        self._for_all = of_all | self._checked("facts", told.facts)
        self._people = {
            code: self._for_all | self._checked("people", person) for code, person in told.people.items()
        }
        self._people_of = told.speakers_of or told.name
        self._refused = tuple(told.refused.items())
        self._no_groups = dict.fromkeys(told.groups, "")
        if told.layout and told.pattern and self._name.fullmatch(stem(PurePosixPath(told.layout))) is None:
            raise CorpusError(
                f"{told.name}: the pattern {told.pattern!r} does not match the layout {told.layout!r}"
            )

    def _guarded(self, pattern: str, what: str, flags: int = re.IGNORECASE) -> Guarded | re.Pattern[str]:
        """A pattern, which is guarded where the user wrote it."""
        where = f"{self.description.name}: the pattern {what}"
        return Guarded(pattern, where, flags) if self.own else re.compile(pattern, flags)

    def claims(self, path: PurePosixPath) -> bool:
        """Whether a recording's name and folders are of this corpus; touches no disk."""
        if self.description.pattern and self._name.fullmatch(stem(path)) is None:
            return False
        return self.description.anywhere or any(self.called(folder.name) for folder in path.parents)

    def home(self, path: PurePosixPath) -> PurePosixPath:
        """The folder that holds the corpus, seen from one of its recordings; of a table's, the outermost."""
        match = self._name.fullmatch(stem(path))
        levels = match[1].count("/") if match else 0
        base = path.parents[min(levels, len(path.parents) - 1)]
        if not self.description.anywhere:
            called = [place for place in (base, *base.parents) if self.called(place.name)] or [base]
            return called[0] if self.description.pattern else called[-1]
        return self.root(base, levels)

    def root(self, folder: PurePosixPath, levels: int = 0) -> PurePosixPath:
        """A folder without the official ones at its end, any of which may be absent.

        Args:
            folder: that may be one of those that the layout names.
            levels: how many of the layout's folders are below it.
        """
        if self.description.anywhere:
            for official in reversed(PurePosixPath(self.description.layout).parts[: -1 - levels]):
                if folder.name.lower() == official.lower() or self._around.fullmatch(folder.name):
                    folder = folder.parent
        return folder

    def parse(self, path: PurePosixPath) -> Utterance | Reject:
        """Read a row off a path alone; touches no disk, so that a corpus of tables has no emotion yet."""
        return self._row(path, (), {})

    def scan(self, root: Path, files: Sequence[PurePosixPath] | None = None) -> Iterator[Record]:
        """Yield a row or reject for each recording, or each line of its table, in path order.

        Args:
            root: folder that holds the corpus.
            files: recordings below ``root``; None finds them.
        """
        paths = listed(root, files)
        by_lines = next((table for table in self.description.tables if table.rows), None)
        more = any(table.more for table in self.description.tables)
        stems = {key_of("stem", path.name) for path in paths} if more else set()
        tables = [
            Lines.read(self.CARD.name, root, each, self._values, stems)
            for each in self.description.tables
            if not each.rows
        ]
        seen: list[set[str]] = [set() for _ in tables]
        rows = zip(paths, repeat({})) if by_lines is None else self._listed(root, by_lines, paths)
        sidecars = self.description.sidecars
        for found in rows:
            if not isinstance(found, tuple):
                yield found
                continue
            path, told = found
            try:
                told = {**told, **said_beside(root, path, sidecars)} if sidecars else told
            except CorpusError as error:
                yield Reject(self.CARD.name, path, str(error))
                continue
            yield self._row(path, tables, told, seen)
        for lines, keys in zip(tables, seen, strict=True):
            of_people = set(lines.table.match) & {*FACTS} - {"path"}
            yield from lines.found.remarks(None if lines.table.more or of_people else keys)

    def _listed(
        self, root: Path, table: Table, paths: Sequence[PurePosixPath]
    ) -> Iterator[tuple[PurePosixPath, Named] | Record]:
        """Recordings in path order, each as often as lines name it, and what is wrong with the table."""
        lines, problems = lines_below(root, table)
        by_path: dict[str, list[Line]] = defaultdict(list)
        for number, line in lines:
            told: dict[str, Any] = {
                fact: with_unit(cell, column) if fact in TIMES else cell
                for fact, column in table.columns.items()
                for cell in [line.get(column, "").strip()]
            }
            told["votes"] = self._values.votes(line, table)
            by_path[slashed(told.pop("path"))].append((number, told))
        places = self._places(paths)
        owners: dict[PurePosixPath, list[Line]] = defaultdict(list)
        absent, unclear = list[str](), dict[PurePosixPath, str]()
        for name, told_lines in by_path.items():
            fits = places.get(name) or places.get(unicodedata.normalize("NFC", name), [])
            if len(fits) == 1:
                owners[fits[0]] += told_lines
            elif fits:
                unclear |= dict.fromkeys(fits, of_several(name, [path.as_posix() for path in fits]))
            else:
                absent += [name] * len(told_lines)
        for path in paths:
            if path not in owners:
                reason = unclear.get(path, f"{Path(table.file).name!r} does not name it")
                yield Reject(self.CARD.name, path, reason)
            yield from self._each_once(path, owners[path], table)
        if absent:
            file = Path(table.file).name
            yield MissingAudio(self.CARD.name, file, len(absent), tuple(sorted(absent)[:5]))
        yield from (TableProblem(self.CARD.name, Path(table.file).name, problem) for problem in problems)

    def _places(self, paths: Sequence[PurePosixPath]) -> Mapping[str, Sequence[PurePosixPath]]:
        """What a line may call recordings: a path of one, or the bare name, which several may have."""
        whole: dict[str, list[PurePosixPath]] = defaultdict(list)
        bare: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in paths:
            for places, names in ((whole, (path.as_posix(), stem(path))), (bare, (path.name, path.stem))):
                for name in {unicodedata.normalize("NFC", name) for name in names}:
                    places[name].append(path)
        return {**bare, **whole}

    def _each_once(
        self, path: PurePosixPath, lines: Sequence[Line], table: Table
    ) -> Iterator[tuple[PurePosixPath, Named] | Reject]:
        """The lines of one recording; those that name it, or the same segment of it, again are rejects.

        A line about all of it comes before those of its segments. Lines that say whose answer they are,
        are the answers of several listeners to one recording.
        """
        twice, file = list[str](), Path(table.file).name
        if "rater" in table.columns:
            together: dict[tuple[str, ...], list[Line]] = defaultdict(list)
            judged = set[tuple[str, ...]]()
            for number, told in lines:
                bounds, rater = _bounds(told), told["rater"]
                if rater and (rater, *bounds) in judged:
                    twice.append(f"duplicate line: {number} of {file!r} is an answer of {rater!r} again")
                    continue
                judged.add((rater, *bounds))
                together[bounds].append((number, told))
            lines = [
                answers[0]
                if len(answers) == 1
                else (answers[0][0], of_all([told for _, told in answers], self._values.answer))
                for answers in together.values()
            ]
        first: dict[tuple[str, ...], Line] = {}
        for number, told in sorted(lines, key=lambda line: any(_bounds(line[1]))):
            earlier, other = first.setdefault(_bounds(told), (number, told))
            if earlier == number:
                yield path, told
                continue
            label, there = told.get("emotion"), other.get("emotion")
            differs = f", which labels it {there!r} and not {label!r}" if label != there else ""
            twice.append(f"duplicate line: {number} of {file!r} names it again, after {earlier}{differs}")
        yield from (Reject(self.CARD.name, path, reason) for reason in twice)

    def _row(
        self,
        path: PurePosixPath,
        tables: Sequence[Lines],
        told: Named,
        seen: Sequence[set[str]] = (),
    ) -> Utterance | Reject:
        whole = stem(path)
        match = self._name.fullmatch(whole)
        if match is None and self.description.pattern:
            return misnamed(self.CARD, path)
        folder, _, name = whole.rpartition("/")
        around = self._said_around(folder)
        named = self._values.named(match)
        sources = [("the name", named), ("its folder", around), ("its line or side file", told)]
        sources = [source for source in sources if source[1] or source[1] is named]
        known: Mapping[str, Any] = {
            **around, **named, **told, "stem": name, "path": whole, "folder": path.parent.name,
            "folder/stem": whole,
        } if tables else {}  # fmt: skip
        for number, lines in enumerate(tables):
            key = key_for(lines.table, [str(known.get(what, "")) for what in lines.table.match], self._values)
            if seen:
                seen[number].add(key)
            if key in lines.unclear:
                return Reject(self.CARD.name, path, lines.unclear[key])
            sources.append((lines.found.name, lines.found.facts(key)))
            known = {**lines.found.facts(key), **known}  # as a speaker whom the next table describes
        try:
            facts = self._facts(sources)
            for fact, parts in self.description.joined.items():
                if all(facts.get(part) for part in parts):
                    facts[fact] = "-".join(str(facts[part]) for part in parts)
            official = self.description.official({**self._no_groups, **around, **named, "stem": name})
            return self._utterance(path, official or (match[1] if match else whole.lstrip("/")), facts)
        except ValueError as error:
            return Reject(self.CARD.name, path, str(error))

    def _facts(self, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        """Raw facts of a recording, from all who say any.

        Raises:
            ValueError: a code is refused, or two sources disagree on the emotion or on who speaks.
        """
        codes: dict[str, str] = {}
        for source, told in sources:
            for fact, reasons in self._refused:
                if fact in told and (reason := reasons.get(str(told[fact])) or reasons.get(ANY)):
                    raise ValueError(reason)
            for fact in ("emotion", "speaker"):
                value = told.get(fact)
                if not value or key_of(fact, code := codes.setdefault(fact, value)) == key_of(fact, value):
                    continue
                if fact == "speaker" or self._emotion(code) != self._emotion(value):
                    by = next(name for name, said in sources if said.get(fact))
                    raise ValueError(f"{source} says {fact} {value!r}, {by} says {code!r}; one is wrong")
        facts = dict(sources[0][1])
        for _, told in sources[1:]:
            facts |= {fact: value for fact, value in told.items() if value != "" or fact not in facts}
        facts |= codes
        return facts

    def _utterance(self, path: PurePosixPath, official: str, raw: dict[str, Any]) -> Utterance:
        code = str(raw.get("speaker") or self.description.facts.get("speaker") or UNKNOWN_SPEAKER)
        speaker = self._values.of("speaker", code)
        facts = self._values.fields(raw, self._people.get(speaker, self._for_all))
        votes = votes_of(raw["votes"]) if "votes" in raw else {}
        label = str(raw.get("emotion") or self.description.facts.get("emotion") or majority_of(votes))
        if votes and not label and any(facts.get(fact) is not None for fact in DIMENSIONS):
            label = OTHER  # a tie, which is kept for its ratings
        if not label:
            reason = "no label: neither its name nor a table says the emotion"
            raise ValueError("no label: its votes are a tie" if votes else reason)
        sentence, texts = facts.get("sentence_id"), self.description.texts
        if sentence is not None and "text" not in facts and (sentence in texts or ANY in texts):
            facts["text"] = texts.get(sentence) or texts[ANY].replace(ANY, sentence)
        if votes and facts.get("agreement") is None:
            facts["agreement"] = max(votes.values()) / sum(votes.values())
        emotions = parts_of(self._values.of("emotion", label))
        return Utterance(
            corpus=self.CARD.name,
            path=path,
            canonical=official,
            source_label=label,
            emotion=emotions[0],
            speaker_id=f"{self._people_of}-{speaker}",
            votes=votes or (dict.fromkeys(emotions, 1) if len(emotions) > 1 else {}),
            **facts,
        )

    def _emotion(self, code: str) -> str:
        return parts_of(self._values.of("emotion", code))[0]

    def _checked(self, where: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Values of facts that the description gives itself."""
        try:
            texts = {fact: str(value) for fact, value in facts.items()}
            for fact, text in texts.items():
                self._values.of(fact, text)
            return self._values.fields(texts, {})
        except ValueError as error:
            raise CorpusError(f"{self.description.name}: {where}: {error}") from None

    def _is_called(self, folder: str) -> bool:
        told = self.description
        plain = letters(folder)
        if plain and plain in (letters(told.name), letters(told.title)):
            return True
        return any(each.fullmatch(folder) for each in self._folders)


def _bounds(told: Named) -> tuple[str, ...]:
    """Which part of its recording a line is about, however it writes the times."""
    return tuple(_time(told.get(fact, "")) for fact in TIMES)


def _time(text: str) -> str:
    """A time in seconds, to the millisecond; the text itself if it is none."""
    try:
        return f"{seconds_of(text):.3f}" if text else ""
    except ValueError:
        return text


def plain_id(name: str) -> str:
    """A corpus id out of any name; "" if that has no letter or digit of an id.

    Examples:
        >>> plain_id("Mój Zbiór_2"), plain_id("...")
        ('moj-zbior-2', '')
    """
    ascii_only = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")
