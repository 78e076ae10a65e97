"""The blocks of a report, independent of the format in which it is written.

A report is a list of sections of blocks: paragraphs, callouts, fact lists, tables, figures. The
page, the Markdown file and the JSON file are three renderings of the same blocks, so that
they cannot say different things.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ser_pipeline.tables import Table
from ser_pipeline.tables.cells import Estimate

Mark = Literal["synthetic", "speakers heard", "claimed", "other manifest", "broken"]
"""A warning that stands beside a number, a row or a figure."""


@dataclass(frozen=True)
class Code:
    """Words in the type of a terminal, as commands and file names."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link to another place of the same report."""

    text: str
    target: str


@dataclass(frozen=True)
class Strong:
    """Emphasised words."""

    text: str


Words = str | Code | Link | Strong


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: tuple[Words, ...]


@dataclass(frozen=True)
class Callout:
    """A paragraph that stands out.

    Attributes:
        tone: ``warning`` or ``note``.
        words: what it says.
    """

    tone: Literal["warning", "note"]
    words: tuple[Words, ...]


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Attributes:
        name: of its files, without suffix.
        alt: what can be seen, in words, for who cannot see it.
        files: suffix -> drawing, alone in a file; a page links to none of them.
        inline: the same for inside the page: inks follow the page's colours.
        wide: takes a whole line of the page.
    """

    name: str
    alt: str
    files: Mapping[str, bytes] = field(repr=False)
    inline: str = field(repr=False)
    wide: bool = False


@dataclass(frozen=True)
class Figure:
    """One or more drawings under one caption; ``title`` is set by :func:`numbered`."""

    key: str
    caption: str
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Rank:
    """A run in a list of runs.

    Attributes:
        name: of the run.
        target: section about it.
        note: what else tells it apart.
        score: in [0, 1], with its interval.
        chance: what guessing gives, in [0, 1].
        known: it was tested on people whom it knows.
        at_chance: guessing may well do as well.
    """

    name: str
    target: str
    note: str
    score: Estimate
    chance: float
    known: bool
    at_chance: bool


@dataclass(frozen=True)
class Ranking(Figure):
    """Runs by their score: bars with numbers on a page, which fit any screen; the drawing in files.

    Attributes:
        lists: a title, and the runs that may be compared under it, best first.
    """

    lists: tuple[tuple[str, tuple[Rank, ...]], ...] = ()


@dataclass(frozen=True)
class Facts:
    """A short list of names and values."""

    items: tuple[tuple[str, tuple[Words, ...]], ...]


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[tuple[Words, ...], ...]


@dataclass(frozen=True)
class Answer:
    """The one number that the report is opened for.

    Attributes:
        score: in [0, 1], with its interval.
        chance: what guessing gives, in [0, 1].
        title: what the number is.
        words: the sentence that tells it.
        trusted: it is of people who are new to the model, and better than chance.
    """

    score: Estimate
    chance: float
    title: str
    words: tuple[Words, ...]
    trusted: bool = True


@dataclass(frozen=True)
class Fold:
    """A page folds away what follows in the section, until the next fold; other formats show it."""

    title: str


Shown = Text | Callout | Table | Figure | Facts | Bullets | Answer
Block = Shown | Fold


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; ``level`` 2 is a chapter, 3 a part of one.

    A page shows a part as its heading and its ``brief``, and the blocks when it is opened.
    """

    key: str
    title: str
    blocks: tuple[Block, ...]
    level: Literal[2, 3] = 2
    marks: tuple[Mark, ...] = ()
    brief: str = ""

    @property
    def folds(self) -> Iterator[tuple[str, tuple[Shown, ...]]]:
        """Blocks by the title of their fold, "" before the first."""
        title, held = "", list[Shown]()
        for block in (*self.blocks, Fold("")):
            if not isinstance(block, Fold):
                held.append(block)
                continue
            if held:
                yield title, tuple(held)
            title, held = block.title, []


@dataclass(frozen=True)
class Report:
    """The whole.

    Attributes:
        title: of the page.
        opening: blocks above the contents list: what is shown and how far to trust it.
        sections: in reading order.
        banner: warning at the head of the page, empty if there is none.
    """

    title: str
    opening: tuple[Block, ...]
    sections: tuple[Section, ...]
    banner: str = ""

    @property
    def panels(self) -> Iterator[Panel]:
        """Every drawing, in reading order."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Figure):
                    yield from block.panels


def text(*words: Words) -> Text:
    """Make a paragraph."""
    return Text(words)


def numbered(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Label tables and figures in reading order, each kind from 1."""
    counts = {Table: 0, Figure: 0}

    def label(block: Block) -> Block:
        if not isinstance(block, Table | Figure):
            return block
        kind = Table if isinstance(block, Table) else Figure
        counts[kind] += 1
        return replace(block, title=f"{kind.__name__} {counts[kind]}")

    return tuple(replace(section, blocks=tuple(map(label, section.blocks))) for section in sections)


def plain(words: Sequence[Words]) -> str:
    """Join words into plain text.

    Examples:
        >>> plain(("Run ", Code("ser report"), "."))
        'Run ser report.'
    """
    return "".join(word if isinstance(word, str) else word.text for word in words)
