"""What a table is, apart from what it is shown on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

T = TypeVar("T")

Value = str | int | float | None
"""What an entry holds for a machine; its text is for people."""

EN_DASH: Final = "\u2013"
MINUS: Final = "\u2212"
NO_BREAK: Final = "\u00a0"
NOTHING: Final = EN_DASH
"""Shown if there is no number."""


@dataclass(frozen=True)
class Entry:
    """What stands in one row under one heading.

    Attributes:
        text: for people.
        value: for sorting, for JSON and for CSV.
        note: a second, smaller text, as the interval of a score.
        bar: share in [0, 1] drawn as a bar behind the text; None draws none.
        strong: weighs more than its neighbours.
        target: section of a page that the text links to; empty for none.
        sound: an MP3 that a page plays; other formats leave it out.
    """

    text: str
    value: Value = None
    note: str = ""
    bar: float | None = None
    strong: bool = False
    target: str = ""
    sound: bytes = field(default=b"", repr=False)

    @property
    def says(self) -> bool:
        """It is neither empty nor 0."""
        return bool(self.sound or (self.text not in ("", NOTHING) if self.value is None else self.value))


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: its name.
        numeric: it holds numbers, which stand right.
        unit: of its numbers, as ``%``; empty for none.
        keep: screens and pages show it even if it is empty or zero in every row.
        whole: its names are never shortened, because people copy them.
    """

    title: str
    numeric: bool = True
    unit: str = ""
    keep: bool = False
    whole: bool = False

    @property
    def heading(self) -> str:
        """Title and unit.

        Examples:
            >>> Column("UAR", unit="%").heading
            'UAR, %'
        """
        return f"{self.title}, {self.unit}" if self.unit else self.title


@dataclass(frozen=True)
class Row:
    """A row; its first entry names it, its marks stand beside that name."""

    entries: tuple[Entry, ...]
    marks: tuple[str, ...] = ()
    total: bool = False


@dataclass(frozen=True)
class RowGroup:
    """Rows under a common heading; sorting keeps groups together."""

    rows: tuple[Row, ...]
    title: str = ""
    note: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        key: names it in links and in the JSON file of a report.
        caption: what it shows, with units.
        columns: the first one names the rows.
        groups: the rows.
        notes: what a reader must know, below the table.
        marks: warnings that hold for the whole table.
        title: its name: ``by corpus`` on a screen, ``Table 3`` in a report.
    """

    key: str
    caption: str
    columns: tuple[Column, ...]
    groups: tuple[RowGroup, ...]
    notes: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    title: str = ""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Rows of all groups."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def headings(self) -> list[str]:
        """Of the columns."""
        return [column.heading for column in self.columns]

    @property
    def heading(self) -> str:
        """Its name and what it shows; "" if it says neither."""
        return ": ".join(filter(None, (self.title, self.caption)))

    @property
    def remarks(self) -> list[str]:
        """Its notes, and those of groups with a title."""
        of_groups = (f"{each.title}: {each.note}" for each in self.groups if each.title and each.note)
        return [*self.notes, *of_groups]

    def telling(self) -> "tuple[Table, list[str]]":
        """The table without columns that are empty or 0 in every row, and the headings of these."""
        kept = [
            place
            for place, column in enumerate(self.columns)
            if place == 0 or column.keep or not self.rows or any(row.entries[place].says for row in self.rows)
        ]

        def picked(things: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(things[place] for place in kept)

        groups = tuple(
            replace(group, rows=tuple(replace(row, entries=picked(row.entries)) for row in group.rows))
            for group in self.groups
        )
        left_out = [heading for place, heading in enumerate(self.headings) if place not in kept]
        return replace(self, columns=picked(self.columns), groups=groups), left_out


def table_of(
    title: str,
    columns: Sequence[str | Column],
    rows: Sequence[Sequence[Any]],
    *,
    notes: Sequence[str] = (),
) -> Table:
    """Make a table of plain values.

    Args:
        title: of the table.
        columns: headings, or columns; a heading stands over numbers if every value below it is one.
        rows: values or entries, one for each column.
        notes: sentences below the table.

    Examples:
        >>> table_of("speed", ["work", "rate"], [["mels", 0.5]]).rows[0].entries[1]
        Entry(text='0.500', value=0.5, note='', bar=None, strong=False, target='')
    """
    lines = [tuple(entry(value) for value in row) for row in rows]
    made = [
        column if isinstance(column, Column) else Column(column, _numeric([line[place] for line in lines]))
        for place, column in enumerate(columns)
    ]
    group = RowGroup(tuple(Row(line) for line in lines))
    return Table("", "", tuple(made), (group,), tuple(notes), title=title)


def _numeric(entries: Sequence[Entry]) -> bool:
    return bool(entries) and all(isinstance(each.value, int | float | None) for each in entries)


def entry(value: Any) -> Entry:
    """Make an entry of a plain value: None is empty, a float has three decimals; an entry stays one."""
    if isinstance(value, Entry):
        return value
    if value is None:
        return Entry("")
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return Entry("0.000" if text == "-0.000" else text, value)


def one_line(text: str) -> str:
    r"""Escape what would break a line or steer a terminal, as a file's name may hold.

    Examples:
        >>> one_line("a\nb\x1b[2J")
        'a\\nb\\x1b[2J'
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == NO_BREAK else c.encode("unicode_escape").decode() for c in text
    )
