"""What the description of a corpus may say, read from TOML and checked.

``docs/corpora/describe.md`` explains every key. :mod:`ser_pipeline.corpora.described` reads
recordings by a description.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import regex
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ser_pipeline.corpora.languages import usual_tag
from ser_pipeline.corpora.tables import read_text
from ser_pipeline.errors import CorpusError, SettingsError
from ser_pipeline.labels import EMOTIONS, OTHER
from ser_pipeline.options.checks import checked, nearest
from ser_pipeline.records import RATINGS, VOCABULARIES, Download, Modality, Style

FACTS: Final = (
    "emotion", "speaker", "gender", "age", "language", "session", "sentence", "text", "take",
    "intensity", "style", "modality", "valence", "arousal", "dominance", "agreement",
    "naturalness", "rated_intensity", "part", "fold", "path", "start", "end", "duration", "rater",
)  # fmt: skip
"""What can be said of a recording; the last only by tables, and the four before it by their rows."""

OF_LINES: Final = FACTS[FACTS.index("path") :]
"""Which recording a line of a table is about, which part of it, and whose answer it is."""

VALUES: Final[Mapping[str, tuple[str, ...]]] = {"emotion": (*EMOTIONS, OTHER), **VOCABULARIES}
"""Fact -> the only values it may have; codes of a corpus stand for them."""


def _regex(text: str) -> str:
    try:
        re.compile(text)
        regex.compile(text)
    except (re.error, regex.error) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return text


def _fact(name: str) -> str:
    if name not in FACTS:
        raise ValueError(f"there is no such fact{nearest(name, FACTS)}; valid are {', '.join(FACTS)}")
    return name


Fact = Annotated[str, AfterValidator(_fact)]
Regex = Annotated[str, AfterValidator(_regex)]
OneOrMore = Annotated[
    tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]
Codes = Mapping[str, str]
Scale = tuple[float, float]


ANY: Final = "*"
"""Among ``refused`` codes, any other; among ``texts``, any other sentence, whose words it stands for."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Table(_Part):
    """A table beside the recordings.

    Attributes:
        file: path or glob below the corpus's folder.
        key: columns whose values together name what a line is about.
        match: what of a recording they are compared with: ``stem``, ``path``, ``folder``, ``folder/stem``,
            a fact or a group.
        columns: fact -> column.
        votes: emotion -> columns with the number of listeners who chose it.
        raters: columns of labels, each of which one listener chose; they are votes, too.
        rows: whether the corpus's rows are the lines of this table instead of the files.
        heading: whether its first line names the columns; they are called ``1``, ``2`` and so on otherwise.
        line: pattern of a whole line of a text that is not a table; its named groups are the columns, and
            lines that it does not match say nothing.
        more: whether it also names recordings that were never published, so that none of them is missed.
        separator: between columns; None finds it.
        encoding: of the text; None finds it.
    """

    file: str
    key: OneOrMore = ()
    match: OneOrMore = ("stem",)
    columns: Mapping[Fact, str] = Field(default_factory=dict)
    votes: Mapping[str, OneOrMore] = Field(default_factory=dict)
    raters: tuple[str, ...] = ()
    rows: bool = False
    heading: bool = True
    line: Regex = ""
    more: bool = False
    separator: str | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        _emotions("votes", self.votes, (*EMOTIONS, OTHER))
        if self.rows and "path" not in self.columns:
            raise ValueError("a table whose lines are the rows needs columns.path, the column of the paths")
        if not self.rows and len(self.key) != len(self.match):
            raise ValueError(
                f"key names {len(self.key)} columns, but match names {len(self.match)} things; "
                "they are compared in pairs"
            )
        return self

    @property
    def of_votes(self) -> tuple[str, ...]:
        """Columns that say what listeners chose."""
        return *chain(*self.votes.values()), *self.raters


class Sidecar(_Part):
    """A file beside each recording.

    Attributes:
        file: ``{stem}`` and ``{folder}`` stand for the recording's own.
        fact: what the whole text of the file says.
        columns: fact -> key of the JSON object that the file holds.
    """

    file: str
    fact: Fact | None = None
    columns: Mapping[Fact, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.fact is None) == (not self.columns):
            raise ValueError("a side file needs either 'fact' or 'columns'")
        return self


class Description(_Part):
    """How the recordings of one corpus are read.

    Attributes:
        name: corpus id.
        title: the corpus's own name; the id by default.
        language: BCP 47 tag.
        style: how the emotions came about.
        modality: spoken or sung.
        licence: in the publisher's words.
        source: DOI or address of the publication.
        obtain: address of the page that offers the recordings.
        access: what it takes to get them.
        speakers: of the complete corpus; 0 where unknown.
        clips: of the complete corpus; 0 where unknown.
        sample_rate: in Hz, if all recordings have the same; 0 where unknown.
        channels: of every recording; 0 where unknown.
        format: container and samples in the words of libsndfile, as ``WAV PCM_16``.
        mean_s: mean duration of a recording in seconds; 0 where unknown.
        layout: one official path.
        folders: patterns of the names of folders that hold the corpus.
        anywhere: whether its names are so unlike others that no folder needs to say which corpus it is.
        pattern: of the end of a path without suffix; its named groups are facts.
        around: pattern of the end of the path of a recording's folder, in any case; its groups are facts, and
            what they say of the speaker and the emotion must be what the name says.
        id: official path of a recording without suffix, with ``{stem}`` and groups of the pattern; by
            default what the pattern matches.
        renamed: part of such a path by that rule -> what the publisher calls it.
        closed: facts whose codes must be among those of ``people``, ``texts`` or ``codes``.
        ignore_case: whether pattern and codes hold in any case; what is not a code is read in small letters.
        spellings: group -> another spelling -> code.
        speakers_of: id of the corpus whose people these are; its own by default.
        joined: fact -> groups or facts that say it together, as a session and a letter say who speaks.
        codes: fact -> code -> value.
        refused: group or fact -> code, or ``*`` for any -> reason why such recordings are rejects.
        texts: sentence -> its words; ``*`` is any other sentence, and stands for it in its words.
        people: speaker -> facts of that person.
        facts: that hold for every recording.
        scales: fact -> lowest and highest value of its ratings.
        counts: emotion -> number of clips of the complete corpus.
        tables: beside the recordings; later ones win.
        sidecars: beside each recording.
        verified: whether it was tried on real recordings or on the published rule alone.
        notes: on quirks, in sentences.
        downloads: files that the publisher offers; together they are the corpus.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str = ""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]+)*$"), AfterValidator(usual_tag)] = (
        "und"
    )
    style: Style = "unknown"
    modality: Modality = "speech"
    licence: str = ""
    source: str = ""
    obtain: str = ""
    access: Literal["open", "registration", "request", "paid", ""] = ""
    speakers: Annotated[int, Field(ge=0)] = 0
    clips: Annotated[int, Field(ge=0)] = 0
    sample_rate: Annotated[int, Field(ge=0)] = 0
    channels: Annotated[int, Field(ge=0)] = 0
    format: Annotated[str, Field(pattern=r"^([A-Z0-9]+ [A-Z0-9_]+)?$")] = ""
    mean_s: Annotated[float, Field(ge=0)] = 0.0
    layout: str = ""
    folders: tuple[Regex, ...] = ()
    anywhere: bool = False
    pattern: Regex = ""
    around: Regex = ""
    id: str = ""
    renamed: Codes = Field(default_factory=dict)
    closed: tuple[Fact, ...] = ()
    ignore_case: bool = False
    spellings: Mapping[str, Codes] = Field(default_factory=dict)
    speakers_of: str = ""
    joined: Mapping[Fact, OneOrMore] = Field(default_factory=dict)
    codes: Mapping[Fact, Codes] = Field(default_factory=dict)
    refused: Mapping[str, Codes] = Field(default_factory=dict)
    texts: Mapping[str, str] = Field(default_factory=dict)
    people: Mapping[str, Mapping[Fact, Any]] = Field(default_factory=dict)
    facts: Mapping[Fact, Any] = Field(default_factory=dict)
    scales: Mapping[Fact, Scale] = Field(default_factory=dict)
    counts: Mapping[str, int] = Field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    sidecars: tuple[Sidecar, ...] = ()
    verified: Literal["rule", "files"] = "rule"
    notes: str = ""
    downloads: tuple[Download, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for fact, codes in self.codes.items():
            self._valid_codes(fact, codes)
        _emotions("counts", self.counts, EMOTIONS)
        for fact, (lowest, highest) in self.scales.items():
            if fact not in RATINGS:
                raise ValueError(f"scales.{fact}: only {', '.join(RATINGS)} have a scale")
            if not lowest < highest:
                raise ValueError(f"scales.{fact} runs from {lowest:g} to {highest:g}; the lowest comes first")
        for key, names in (("refused", self.refused), ("spellings", self.spellings)):
            for name in names:
                if name not in (*self.groups, *FACTS):
                    close = nearest(name, self.groups)
                    raise ValueError(f"{key}.{name} is neither a group of the pattern nor a fact{close}")
        for fact in self.closed:
            if not self.codes_of(fact):
                where = {"speaker": "[people]", "sentence": "[texts]"}.get(fact, f"[codes.{fact}]")
                raise ValueError(f"closed names {fact}, but {where} lists none")
        for fact, parts in self.joined.items():
            unread = [part for part in parts if not self.says(part) and part not in self.groups]
            if unread:
                close = nearest(unread[0], (*self.groups, *FACTS))
                raise ValueError(f"joined.{fact}: nothing says {unread[0]!r}{close}")
        self._no_misspelt_group()
        self._has_sources()
        try:
            self.official(dict.fromkeys(("stem", *self.groups), "x"))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"id names {error}, which is not a group of the pattern") from None
        return self

    def official(self, named: Mapping[str, str]) -> str:
        """Official path of a recording without suffix; "" where the description does not say it.

        Args:
            named: all groups, and the recording's own ``stem``.
        """
        path = self.id.format_map(named)
        for rule, name in self.renamed.items():
            path = path.replace(rule, name)
        return path

    def codes_of(self, fact: str) -> Mapping[str, Any]:
        """What is listed of a fact, by its codes: people, sentences, or values."""
        listed: Mapping[str, Mapping[str, Any]] = {"speaker": self.people, "sentence": self.texts}
        return listed.get(fact) or self.codes.get(fact, {})

    def _valid_codes(self, fact: str, codes: Codes) -> None:
        for code, value in codes.items() if fact in VALUES else ():
            parts = parts_of(value) if fact == "emotion" else (value,)
            valid = VALUES[fact] if len(parts) == 1 else EMOTIONS
            wrong = [part for part in parts if part not in valid]
            if wrong:
                raise ValueError(
                    f"codes.{fact}: {code!r} stands for {value!r}, which is none of "
                    f"{', '.join(valid)}{nearest(wrong[0], valid)}"
                )
            if len(set(parts)) < len(parts):
                raise ValueError(f"codes.{fact}: {code!r} stands for {value!r}, one of them twice")

    def _no_misspelt_group(self) -> None:
        """A group that nothing uses and that is nearly called like a fact is meant to be one."""
        used = {*FACTS, *self.refused, *(name for names in self.joined.values() for name in names)}
        used |= {name for table in self.tables for name in table.match}
        for group in self.groups:
            likely = get_close_matches(group, FACTS, n=1, cutoff=0.85)
            if group not in used and f"{{{group}" not in self.id and likely and likely[0] not in self.groups:
                raise ValueError(
                    f"group {group!r} of the pattern is not a fact (did you mean {likely[0]!r}?)"
                )

    def _has_sources(self) -> None:
        by_lines = [table for table in self.tables if table.rows]
        if len(by_lines) > 1:
            raise ValueError("two tables have rows = true; the lines of one table are the rows")
        if bool(self.pattern) == bool(by_lines):
            raise ValueError(
                "rows come either from files, by 'pattern', or from the lines of one table with rows = true"
            )
        *of_rows, rater = OF_LINES
        if not by_lines and self.says(*of_rows):
            raise ValueError(f"{', '.join(of_rows)} are facts of a table with rows = true")
        if self.says(rater) and not any(rater in table.columns for table in self.tables):
            raise ValueError(f"{rater} is a fact of tables")
        if not self.says("emotion") and not any(table.of_votes for table in self.tables):
            raise ValueError(
                "nothing says the emotion: name a group of the pattern 'emotion' (found "
                f"{', '.join(self.groups) or 'no group'}), or give its column in a table"
            )

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups of the pattern and of that of the folders around."""
        return tuple({**re.compile(self.pattern).groupindex, **re.compile(self.around).groupindex})

    def says(self, *facts: str) -> bool:
        """Whether any of some facts comes from anywhere."""
        sources: list[Iterable[str]] = [self.groups, self.facts, self.joined, *self.people.values()]
        sources += [table.columns for table in self.tables]
        sources += [sidecar.columns or [sidecar.fact or ""] for sidecar in self.sidecars]
        return any(fact in source for source in sources for fact in facts)


@lru_cache(maxsize=1 << 10)
def parts_of(emotion: str) -> tuple[str, ...]:
    """The emotions of a label that may be a mixture, the strongest first.

    Examples:
        >>> parts_of("sadness+anger"), parts_of("fear")
        (('sadness', 'anger'), ('fear',))
    """
    return tuple(part.strip() for part in emotion.split("+"))


def _emotions(key: str, names: Iterable[str], valid: Sequence[str]) -> None:
    for name in names:
        if name not in valid:
            raise ValueError(f"{key}: {name!r} is not an emotion{nearest(name, valid)}; valid are "
                             f"{', '.join(valid)}")  # fmt: skip


def parse_description(text: str, where: str) -> Description:
    """Read a description from TOML.

    Args:
        text: of the file.
        where: what it is called in errors.

    Raises:
        CorpusError: it is not TOML, or says what a description cannot say.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CorpusError(f"{where}: is not TOML: {error}") from None
    try:
        return checked(Description, values, where=where)
    except SettingsError as error:
        raise CorpusError(f"{error} (docs/corpora/describe.md explains every key)") from None


def read_description(path: Path) -> Description:
    """Read a description from a TOML file; a table that lies beside it is taken from there.

    Raises:
        CorpusError: the file cannot be read, or says what a description cannot say.
    """
    try:
        text = read_text(path)
    except CorpusError as error:
        raise CorpusError(f"{path}: {error}") from None
    told = parse_description(text, str(path))
    tables = [
        table.model_copy(update={"file": str(place)})
        if (place := (path.parent / table.file).absolute()).is_file()
        else table
        for table in told.tables
    ]
    return told.model_copy(update={"tables": tuple(tables)})


def tables_beside(path: Path) -> list[Path]:
    """Tables that lie beside the file of a description.

    Raises:
        CorpusError: the file cannot be read, or says what a description cannot say.
    """
    return [place for table in read_description(path).tables if (place := Path(table.file)).is_absolute()]
