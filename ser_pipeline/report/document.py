"""The blocks of a report, independent of the format in which it is written.

A report is a list of sections of blocks: paragraphs, callouts, fact lists, tables, figures. The
page, the Markdown file and the JSON file are three renderings of the same blocks, so that
they cannot say different things.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ser_pipeline.tables import Table

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
    """One or more drawings under one caption; ``title`` is set by :func:`numbered`."""

    key: str
    caption: str
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...] = ()
    title: str = ""


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
        counts[type(block)] += 1
        return replace(block, title=f"{type(block).__name__} {counts[type(block)]}")

    return tuple(replace(section, blocks=tuple(map(label, section.blocks))) for section in sections)


def plain(words: Sequence[Words]) -> str:
    """Join words into plain text.

    Examples:
        >>> plain(("Run ", Code("ser report"), "."))
        'Run ser report.'
    """
    return "".join(word if isinstance(word, str) else word.text for word in words)
