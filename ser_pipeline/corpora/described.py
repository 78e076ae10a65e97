"""A corpus that is read by its description.

Facts of a recording come from what holds for all of them, its name, the person who speaks, tables and
side files, in this order; where two of them say who speaks or which emotion it is, they must agree.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ser_pipeline.corpora.description import FACTS, Description, Table, parts_of
from ser_pipeline.corpora.files import Guarded, key_of, listed, misnamed, slashed, stem
from ser_pipeline.corpora.sources import Lines, key_for, lines_below, said_beside
from ser_pipeline.corpora.values import Values, majority_of, mixture_of, votes_of
from ser_pipeline.corpora.words import language_name
from ser_pipeline.errors import CorpusError
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

_FIELDS: Final[Mapping[str, str]] = {
    "session": "session_id", "sentence": "sentence_id", "start": "start_s", "end": "end_s",
}  # fmt: skip
"""Fact -> field of an utterance, where they are not called alike."""


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
    _name: Guarded | re.Pattern[str] = field(init=False)
    _values: Values = field(init=False)

    def __post_init__(self) -> None:
        """Prepare codes and patterns, and try the description on its own example.

        Raises:
            CorpusError: facts that hold for all or for a person do not fit, or the pattern does not
                read the layout.
        """
        told = self.description
        self.CARD = CorpusCard(
            name=told.name,
            title=told.title or told.name,
            language=told.language,
            language_name=language_name(told.language),
            speakers=told.speakers,
            clips=told.clips,
            layout=told.layout or "any path that its table names",
            folders=(),
            style=told.style,
            licence=told.licence or "not stated",
            source=told.source or "not stated",
            modality=told.modality,
            obtain=told.obtain,
            access=told.access,
            people=tuple(told.people) if len(told.people) == told.speakers else (),
            counts=told.counts,
            sample_rate=told.sample_rate,
            channels=told.channels,
            format=told.format,
            mean_s=told.mean_s,
            notes=told.notes,
            downloads=told.downloads,
        )  # fmt: skip
        self.EMOTIONS = {code: parts_of(mixed)[0] for code, mixed in told.codes.get("emotion", {}).items()}
        tables = [table.file for table in told.tables if "/" not in table.file and "*" not in table.file]
        if told.anywhere and tables:
            self.TRACES = re.compile("|".join(map(re.escape, tables)), re.IGNORECASE)
        flags = re.IGNORECASE if told.ignore_case else 0
        self.NAME = re.compile(rf"(?s:.*/)?({told.pattern})", flags) if told.pattern else _NEVER
        where = f"{told.name}: the pattern {told.pattern!r}"
        self._name = Guarded(self.NAME.pattern, where, flags) if self.own and told.pattern else self.NAME
        self._values = Values(told)
        self._folders = [
            Guarded(each, f"{told.name}: the pattern {each!r} of folders", re.IGNORECASE)
            if self.own
            else re.compile(each, re.IGNORECASE)
            for each in told.folders
        ]
        self.called = lru_cache(maxsize=1 << 14)(self._is_called)
        self._people = {speaker: self._checked("people", person) for speaker, person in told.people.items()}
        self._for_all = self._checked("facts", told.facts)
        if told.layout and told.pattern and self._name.fullmatch(stem(PurePosixPath(told.layout))) is None:
            raise CorpusError(
                f"{told.name}: the pattern {told.pattern!r} does not read the layout {told.layout!r}"
            )

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
        official = PurePosixPath(self.description.layout).parts[: -1 - levels]
        for folder in reversed(official):
            base = base.parent if base.name.lower() == folder.lower() else base
        return base

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
        stems = {key_of("stem", path.name) for path in paths}
        tables = [
            Lines.read(self.CARD.name, root, each, self._values, stems)
            for each in self.description.tables
            if not each.rows
        ]
        seen: list[set[str]] = [set() for _ in tables]
        rows = self._files(paths) if by_lines is None else self._listed(root, by_lines, paths)
        for found in rows:
            if not isinstance(found, tuple):
                yield found
                continue
            path, told = found
            try:
                beside = said_beside(root, path, self.description.sidecars)
            except CorpusError as error:
                yield Reject(self.CARD.name, path, str(error))
                continue
            yield self._row(path, tables, {**told, **beside}, seen)
        for lines, keys in zip(tables, seen, strict=True):
            of_people = set(lines.table.match) & {*FACTS} - {"path"}
            yield from lines.found.remarks(None if lines.table.more or of_people else keys)

    def _files(self, paths: Sequence[PurePosixPath]) -> Iterator[tuple[PurePosixPath, Named]]:
        return ((path, {}) for path in paths)

    def _listed(
        self, root: Path, table: Table, paths: Sequence[PurePosixPath]
    ) -> Iterator[tuple[PurePosixPath, Named] | Record]:
        """Recordings in path order, each as often as lines name it, and what is wrong with the table."""
        lines, problem = lines_below(root, table)
        by_path: dict[str, list[Line]] = defaultdict(list)
        for number, line in lines:
            told: dict[str, Any] = {
                fact: line.get(column, "").strip() for fact, column in table.columns.items()
            }
            told["votes"] = {emotion: line.get(column) for emotion, column in table.votes.items()}
            by_path[slashed(told.pop("path"))].append((number, told))
        places = self._places(paths)
        owners: dict[PurePosixPath, list[Line]] = defaultdict(list)
        absent = []
        for name, told_lines in by_path.items():
            if name in places:
                owners[places[name]] += told_lines
            else:
                absent += [name] * len(told_lines)
        for path in paths:
            if path not in owners:
                yield Reject(self.CARD.name, path, f"{Path(table.file).name!r} does not name it")
            yield from self._each_once(path, owners[path], table)
        if absent:
            file = Path(table.file).name
            yield MissingAudio(self.CARD.name, file, len(absent), tuple(sorted(absent)[:5]))
        if problem:
            yield TableProblem(self.CARD.name, Path(table.file).name, problem)

    def _places(self, paths: Sequence[PurePosixPath]) -> Mapping[str, PurePosixPath]:
        """What a line may call each recording."""
        places: dict[str, PurePosixPath] = {}
        for path in paths:
            for name in (path.as_posix(), stem(path), path.name, path.stem):
                places.setdefault(name, path)
        return places

    def _each_once(
        self, path: PurePosixPath, lines: Sequence[Line], table: Table
    ) -> Iterator[tuple[PurePosixPath, Named] | Reject]:
        """The lines of one recording; those that name it, or the same segment of it, again are rejects."""
        first: dict[tuple[str, str], Line] = {}
        for number, told in lines:
            bounds = told.get("start", ""), told.get("end", "")
            earlier, other = first.setdefault(bounds, (number, told))
            if earlier == number:
                yield path, told
                continue
            label, there = told.get("emotion"), other.get("emotion")
            differs = f", which labels it {there!r} and not {label!r}" if label != there else ""
            file = Path(table.file).name
            reason = f"duplicate line: {number} of {file!r} names it again, after {earlier}{differs}"
            yield Reject(self.CARD.name, path, reason)

    def _row(
        self,
        path: PurePosixPath,
        tables: Sequence[Lines],
        told: Named,
        seen: Sequence[set[str]] = (),
    ) -> Utterance | Reject:
        match = self._name.fullmatch(stem(path))
        if match is None and self.description.pattern:
            return misnamed(self.CARD, path)
        named = {name: value for name, value in match.groupdict().items() if value} if match else {}
        sources = [("the name", named), ("its line or side file", told)]
        known: Mapping[str, Any] = {
            **named, **told, "stem": path.stem, "path": stem(path), "folder": path.parent.name,
            "folder/stem": stem(path),
        }  # fmt: skip
        for number, lines in enumerate(tables):
            key = key_for(lines.table, [str(known.get(what, "")) for what in lines.table.match], self._values)
            if seen:
                seen[number].add(key)
            sources.append((lines.found.name, lines.found.facts(key)))
            known = {**lines.found.facts(key), **known}  # as a speaker whom the next table describes
        try:
            facts = self._facts(sources)
            for fact, parts in self.description.joined.items():
                if all(facts.get(part) for part in parts):
                    facts[fact] = "-".join(str(facts[part]) for part in parts)
            return self._utterance(path, match, facts)
        except ValueError as error:
            return Reject(self.CARD.name, path, str(error))

    def _facts(self, sources: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        """Raw facts of a recording, from all who say any.

        Raises:
            ValueError: a code is refused, or two sources disagree on the emotion or on who speaks.
        """
        facts: dict[str, Any] = {}
        by: dict[str, str] = {}
        for source, told in sources:
            for fact, value in told.items():
                reason = self.description.refused.get(fact, {}).get(str(value))
                if reason:
                    raise ValueError(reason)
                if value == "" and fact in facts:
                    continue
                if fact in ("emotion", "speaker") and fact in facts and facts[fact] != value:
                    if fact == "speaker" or self._emotion(facts[fact]) != self._emotion(value):
                        raise ValueError(
                            f"{source} says {fact} {value!r}, {by[fact]} says {facts[fact]!r}; one is wrong"
                        )
                    continue
                facts[fact], by[fact] = value, source
        return facts

    def _utterance(self, path: PurePosixPath, match: re.Match[str] | None, raw: dict[str, Any]) -> Utterance:
        code = str(raw.get("speaker") or self.description.facts.get("speaker") or UNKNOWN_SPEAKER)
        speaker = self._values.of("speaker", code)
        for fact, valid in (("speaker", self.description.people), ("sentence", self.description.texts)):
            if fact in self.description.closed and raw.get(fact) not in valid:
                raise ValueError(f"{fact} {raw.get(fact)!r} does not exist; valid are {', '.join(valid)}")
        facts = {**self._for_all, **self._people.get(speaker, {})}
        facts |= {
            fact: self._values.of(fact, value)
            for fact, value in raw.items()
            if fact in FACTS and fact not in ("emotion", "speaker", "path") and value != ""
        }
        votes = votes_of(raw.get("votes", {}))
        label = str(raw.get("emotion") or self.description.facts.get("emotion") or majority_of(votes))
        if not label:
            reason = "no label: neither its name nor a table says the emotion"
            raise ValueError("no label: its votes are a tie" if votes else reason)
        sentence = facts.get("sentence")
        if sentence is not None and "text" not in facts and sentence in self.description.texts:
            facts["text"] = self.description.texts[sentence]
        groups = {name: value or "" for name, value in match.groupdict().items()} if match else {}
        official = self.description.official(path.stem, groups)
        official = official or (match[1] if match else stem(path).lstrip("/"))
        facts.pop("emotion", None)
        facts.pop("speaker", None)
        return Utterance(
            corpus=self.CARD.name,
            path=path,
            canonical=official,
            source_label=label,
            emotion=self._emotion(label),
            speaker_id=f"{self.description.speakers_of or self.CARD.name}-{speaker}",
            language=facts.pop("language", self.CARD.language),
            style=facts.pop("style", self.CARD.style),
            modality=facts.pop("modality", self.CARD.modality),
            votes=votes or mixture_of(self._values.of("emotion", label)),
            **{_FIELDS.get(fact, fact): value for fact, value in facts.items() if value is not None},
        )

    def _emotion(self, code: str) -> str:
        return parts_of(self._values.of("emotion", code))[0]

    def _checked(self, where: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Values of facts that the description gives itself."""
        try:
            return {fact: self._values.of(fact, str(value)) for fact, value in facts.items()}
        except ValueError as error:
            raise CorpusError(f"{self.description.name}: {where}: {error}") from None

    def _is_called(self, folder: str) -> bool:
        told = self.description
        plain = _letters(folder)
        if plain and plain in (_letters(told.name), _letters(told.title)):
            return True
        return any(each.fullmatch(folder) for each in self._folders)


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
