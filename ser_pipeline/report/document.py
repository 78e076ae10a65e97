"""What a report is made of, apart from how it is written down.

A report is a list of sections of blocks: paragraphs, callouts, fact lists, tables, figures. The
page, the Markdown file and the JSON file are three renderings of the same blocks, so that
they cannot say different things.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Value = str | int | float | None
"""What a cell holds for a machine; its text is for people."""

Mark = Literal["synthetic", "speakers heard", "claimed", "other manifest", "broken"]
"""A warning that stands beside a number, a row or a figure."""

EN_DASH = "\u2013"
MINUS = "\u2212"
NO_BREAK = "\u00a0"
NOTHING = "\u2013"
"""Shown where there is no number."""


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
    """Words that weigh more."""

    text: str


Words = str | Code | Link | Strong


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: tuple[Words, ...]


@dataclass(frozen=True)
class Callout:
    """A paragraph that must not be missed.

    Attributes:
        tone: ``warning`` or ``note``.
        words: what it says.
    """

    tone: Literal["warning", "note"]
    words: tuple[Words, ...]


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: for people.
        value: for sorting and for the JSON file.
        note: a second, smaller line, as the interval of a score.
        bar: share in [0, 1] drawn as a bar behind the text; None draws none.
        strong: weighs more than its neighbours.
        target: section the text links to; empty for none.
    """

    text: str
    value: Value = None
    note: str = ""
    bar: float | None = None
    strong: bool = False
    target: str = ""


@dataclass(frozen=True)
class Column:
    """A column; numbers stand right."""

    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Row:
    """A row; its first cell names it, its marks stand beside that name."""

    cells: tuple[Cell, ...]
    marks: tuple[Mark, ...] = ()
    total: bool = False


@dataclass(frozen=True)
class RowGroup:
    """Rows under a common heading; sorting keeps groups together."""

    rows: tuple[Row, ...]
    title: str = ""
    note: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        key: names it in links and in the JSON file.
        caption: what it shows, with units.
        columns: the first one names the rows.
        groups: the rows.
        notes: what a reader must know, below the table.
        marks: warnings that hold for the whole table.
        label: as ``Table 3``, set by :func:`numbered`.
    """

    key: str
    caption: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    notes: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    label: str = ""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Rows of all groups."""
        return tuple(row for group in self.groups for row in group.rows)


@dataclass(frozen=True)
class Panel:
    """One drawing.

    Attributes:
        name: of its files, without suffix.
        alt: what can be seen, in words, for who cannot see it.
        svg: vector drawing, alone in a file.
        inline: the same for inside the page: inks follow the page's colours.
        png: raster drawing.
        wide: takes a whole line of the page.
        pdf: vector drawing for papers, None where none was asked for.
    """

    name: str
    alt: str
    svg: bytes = field(repr=False)
    inline: str = field(repr=False)
    png: bytes = field(repr=False)
    wide: bool = False
    pdf: bytes | None = field(default=None, repr=False)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that it is written to."""
        return ("png", "svg") if self.pdf is None else ("png", "svg", "pdf")


@dataclass(frozen=True)
class Figure:
    """One or more drawings under one caption; ``label`` is set by :func:`numbered`."""

    key: str
    caption: str
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class Facts:
    """A short list of names and values."""

    items: tuple[tuple[str, tuple[Words, ...]], ...]


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[tuple[Words, ...], ...]


Block = Text | Callout | Table | Figure | Facts | Bullets


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; ``level`` 2 is a chapter, 3 a part of one."""

    key: str
    title: str
    blocks: tuple[Block, ...]
    level: Literal[2, 3] = 2
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Report:
    """The whole.

    Attributes:
        title: of the page.
        opening: blocks above the contents list: what is shown and how far to trust it.
        sections: in reading order.
        banner: warning at the head of the page, empty where there is none.
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
        counts[type(block)] += 1
        return replace(block, label=f"{type(block).__name__} {counts[type(block)]}")

    return tuple(replace(section, blocks=tuple(map(label, section.blocks))) for section in sections)


def plain(words: Sequence[Words]) -> str:
    """Join words into plain text.

    Examples:
        >>> plain(("Run ", Code("ser report"), "."))
        'Run ser report.'
    """
    return "".join(word if isinstance(word, str) else word.text for word in words)
