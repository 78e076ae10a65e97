"""The shape that the names of many recordings share, and the fields in which they differ.

A name is cut at separators, and further where letters and digits meet: ``03-happy_b12`` has the
pieces ``03``, ``happy``, ``b``, ``12``. A field is a piece, or all pieces between two separators.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

SEPARATORS: Final = r"_. ()\[\]+,;&'~#@!-"
PIECE: Final = re.compile(rf"[{SEPARATORS}]+|\d+|[^\W\d_]+|[^\w_. ()\[\]+,;&'~#@!-]+")
_CASE: Final = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_TWO: Final = re.compile(r"[A-Z][a-z]")

_TOKEN: Final = f"[^/{SEPARATORS}]+"
_GAP: Final = f"[{SEPARATORS}]+"

STEP: Final = 100
"""How far the places of tokens of a loose shape are apart; more pieces than that no token has."""

USUAL: Final = 0.98
"""Share of names that must be of one shape for a pattern to spell it out."""

MOST: Final = 0.6
"""Share that is enough for file names of a single token; the others are rejects."""


@dataclass(frozen=True)
class Field:
    """A part of a name that differs from recording to recording.

    Attributes:
        level: 0 for the file's name, 1 for its folder, 2 for the folder around that, and so on.
        place: pieces from where to where; of a loose shape, ``STEP`` times the number of the token, plus the
            piece of the token; tokens from the right have numbers from ``STEP`` - 1 downwards.
        values: of each recording.
        joined: whether it is more than one piece and not just a token.
    """

    level: int
    place: tuple[int, int]
    values: tuple[str, ...]
    joined: bool = False

    @property
    def counts(self) -> Counter[str]:
        """How often each value occurs; names of another shape have none."""
        return Counter(filter(None, self.values))

    @property
    def letters(self) -> set[str]:
        """What is left of the values without digits, marks and case."""
        return {re.sub(r"[\W\d_]", "", value).lower() for value in self.counts} - {""}

    @property
    def numbered(self) -> bool:
        """Whether each value has a digit."""
        return all(any(map(str.isdigit, value)) for value in self.counts)

    def overlaps(self, other: "Field") -> bool:
        """Whether two fields of one level share a piece."""
        (start, stop), (begin, end) = self.place, other.place
        same = self.place == other.place or (start < end and begin < stop)
        return self.level == other.level and same

    def inside(self, other: "Field") -> bool:
        """Whether this is a part of another field."""
        (start, stop), (begin, end) = self.place, other.place
        return self.level == other.level and self.place != other.place and begin <= start and stop <= end


@dataclass(frozen=True)
class Shape:
    """What the names at one level have in common.

    Attributes:
        level: as of a field.
        pieces: regular expression of each piece; None for a loose shape, of which only the ends are known.
        fits: which names are of the shape.
        fields: in which they differ, whole tokens before parts of them.
        tokens: of a loose shape, patterns of the pieces of a token, by its place, where all have the same.
    """

    level: int
    pieces: tuple[str, ...] | None
    fits: tuple[bool, ...]
    fields: tuple[Field, ...]
    tokens: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def pattern(self, chosen: Iterable[tuple[str, Field]]) -> str:
        """Regular expression of names of this shape, with a group for each of some fields."""
        named = {field.place: name for name, field in chosen if field.level == self.level}
        if not named:
            return "[^/]+"
        return self._spelled(named) if self.pieces is not None else self._loose(named)

    def _spelled(self, named: dict[tuple[int, int], str]) -> str:
        return _grouped(self.pieces or (), named)

    def _loose(self, named: dict[tuple[int, int], str]) -> str:
        tokens: dict[int, dict[tuple[int, int], str]] = {}
        for (start, stop), name in named.items():
            at = start // STEP
            tokens.setdefault(at if at < STEP // 2 else at - STEP, {})[start % STEP, stop - at * STEP] = name
        lefts, rights = [at for at in tokens if at >= 0], [at for at in tokens if at < 0]

        def group(at: int) -> str:
            pieces = (self.tokens or {}).get(at, ())
            within = tokens.get(at, {})
            whole = within.pop((0, STEP), None)
            inner = _grouped(pieces, within) if within else _TOKEN
            return f"(?P<{whole}>{inner})" if whole else inner

        head = _GAP.join(group(at) for at in range(max(lefts, default=-1) + 1))
        tail = _GAP.join(group(at) for at in range(min(rights, default=0), 0))
        if not rights:
            return f"{head}(?:{_GAP}[^/]*)?"
        return f"{head}{_GAP if lefts else ''}(?:[^/]*{_GAP})?{tail}"


def _grouped(pieces: Sequence[str], named: Mapping[tuple[int, int], str]) -> str:
    """Pieces as one pattern, with a group from and to some of them."""
    opening: dict[int, list[tuple[int, str]]] = {}
    closing: Counter[int] = Counter()
    for (start, stop), name in named.items():
        opening.setdefault(start, []).append((stop, name))
        closing[stop] += 1
    text = ""
    for place, piece in enumerate(pieces):
        text += ")" * closing[place]
        for _, name in sorted(opening.get(place, []), reverse=True):
            text += f"(?P<{name}>"
        text += piece
    return text + ")" * closing[len(pieces)]


def shape_of(level: int, names: Sequence[str]) -> Shape:
    """The shape that most of some names have.

    Args:
        level: as of a field.
        names: one per recording, without suffix.
    """
    there = sum(map(bool, names))
    spelled = [[_pieces(name) for name in names], [PIECE.findall(name) for name in names]]
    for cut in spelled:
        if _usual(cut)[1] >= USUAL * there:
            return _cut_shape(level, cut)
    tokens = [[*filter(None, re.split(f"({_GAP})", name))] for name in names]
    usual, count = _usual(tokens, whole=True)
    if count >= USUAL * there and len(usual) > 1:
        return _cut_shape(level, tokens, whole=True)
    loose = _loose_shape(level, names)
    if loose is not None:
        return loose
    if level == 0 and _usual(spelled[0])[1] >= MOST * there:
        return _cut_shape(level, spelled[0])
    several = (Field(level, (0, 1), tuple(names)),) if len(set(names)) > 1 else ()
    return Shape(level, ("[^/]+",), tuple(map(bool, names)), several)


def _usual(cut: Sequence[Sequence[str]], *, whole: bool = False) -> tuple[tuple[str, ...], int]:
    return Counter(_signature(pieces, whole=whole) for pieces in cut if pieces).most_common(1)[0]


def _cut_shape(level: int, cut: Sequence[Sequence[str]], *, whole: bool = False) -> Shape:
    """Shape of names that are cut into pieces; ``whole`` for tokens of whatever letters and digits."""
    usual, _ = _usual(cut, whole=whole)
    fits = tuple(_signature(pieces, whole=whole) == usual for pieces in cut)
    rows = [pieces if fit else [""] * len(usual) for pieces, fit in zip(cut, fits, strict=True)]
    columns = list(zip(*rows, strict=True))
    separators = [kind not in ("L", "D", "W") for kind in usual]
    patterns = tuple(
        literal(kind) if separator else _class(kind, [each for each in column if each])
        for kind, separator, column in zip(usual, separators, columns, strict=True)
    )
    return Shape(level, patterns, fits, _fields(level, columns, separators))


def _fields(level: int, columns: Sequence[Sequence[str]], separators: Sequence[bool]) -> tuple[Field, ...]:
    bounds = [-1, *(at for at, separator in enumerate(separators) if separator), len(columns)]
    tokens = [(before + 1, after) for before, after in pairwise(bounds) if before + 1 < after]
    places = [*tokens, *((one[0], two[1]) for one, two in pairwise(tokens))]
    for start, stop in tokens:
        places += [(at, to) for at in range(start, stop) for to in (at + 1, at + 2) if to <= stop]
    fields: dict[tuple[int, int], Field] = {}
    for start, stop in places:
        values = tuple("".join(parts) for parts in zip(*columns[start:stop], strict=True))
        if len(set(values)) > 1:
            joined = stop > start + 1 and (start, stop) not in tokens
            fields.setdefault((start, stop), Field(level, (start, stop), values, joined))
    return tuple(fields.values())


def _loose_shape(level: int, names: Sequence[str]) -> Shape | None:
    """Tokens counted from either end, for names whose middles differ in length.

    The middle is where tokens on either side of it differ least.
    """
    tokens = [list(filter(None, re.split(_GAP, name))) for name in names]
    least = min((len(row) for row in tokens if row), default=0)
    if least < 2:
        return None
    columns = {
        at: tuple(row[at] if row else "" for row in tokens) for at in (*range(least), *range(-least, 0))
    }
    kinds = {at: math.log(len(set(column))) for at, column in columns.items()}
    left = min(
        range(least + 1),
        key=lambda cut: sum(kinds[at] for at in (*range(cut), *range(cut - least, 0))),
    )
    ends = (*range(left), *range(left - least, 0))
    fields = [Field(level, (at % STEP * STEP, at % STEP * STEP + STEP), columns[at]) for at in ends]
    spelled = {}
    for at in ends:
        within = _within(level, at % STEP * STEP, columns[at])
        if within is not None:
            spelled[at] = within[0]
            fields += within[1]
    several = tuple(each for each in fields if len(set(each.values)) > 1)
    return Shape(level, None, tuple(map(bool, names)), several, spelled)


def _within(level: int, start: int, values: Sequence[str]) -> tuple[tuple[str, ...], list[Field]] | None:
    """Patterns and fields of the pieces of one token, if all its values have the same pieces."""
    shape = shape_of(level, values) if len(set(values)) > 1 else None
    if (
        shape is None
        or shape.pieces is None
        or not all(fits or not value for fits, value in zip(shape.fits, values, strict=True))
    ):
        return None
    if len(shape.pieces) < 2:
        return None
    moved = [
        Field(level, (start + each.place[0], start + each.place[1]), each.values, each.joined)
        for each in shape.fields
        if each.place != (0, len(shape.pieces))
    ]
    return shape.pieces, moved


def _pieces(name: str) -> list[str]:
    pieces: list[str] = []
    for piece in PIECE.findall(name):
        if _TWO.fullmatch(piece):
            pieces += list(piece)
        elif piece[0].isalpha():
            pieces += _CASE.split(piece)
        else:
            pieces.append(piece)
    return pieces


def _signature(pieces: Sequence[str], *, whole: bool = False) -> tuple[str, ...]:
    if whole:
        return tuple(piece if re.fullmatch(_GAP, piece) else "W" for piece in pieces)
    return tuple("D" if piece.isdigit() else "L" if piece[0].isalpha() else piece for piece in pieces)


def _class(kind: str, values: Sequence[str]) -> str:
    """Regular expression of a piece: its kind, and its length where that never differs."""
    lengths = {len(value) for value in values}
    if len(set(values)) == 1 and kind != "D":
        return literal(values[0])
    if kind == "W":
        return _TOKEN
    base = r"\d" if kind == "D" else _letters(values)
    if len(lengths) > 1:
        return f"{base}+"
    (length,) = lengths
    return base if length == 1 else f"{base}{{{length}}}"


def literal(text: str) -> str:
    r"""A text as a regular expression, with no more backslashes than it needs.

    Examples:
        >>> print(literal("a-b (1)."))
        a-b \(1\)\.
    """
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)


def _letters(values: Sequence[str]) -> str:
    text = "".join(set(values))
    if re.fullmatch("[A-Z]+", text):
        return "[A-Z]"
    if re.fullmatch("[a-z]+", text):
        return "[a-z]"
    return "[A-Za-z]" if text.isascii() else r"[^\W\d_]"
