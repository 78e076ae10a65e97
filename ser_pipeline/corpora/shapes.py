"""The shape that the names of many recordings share, and the fields in which they differ.

A name is cut at separators, and further where letters and digits meet: ``03-happy_b12`` has the
pieces ``03``, ``happy``, ``b``, ``12``. A field is a piece, or all pieces between two separators.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

SEPARATORS: Final = r"_. ()\[\]+,;&'~#@!-"
PIECE: Final = re.compile(rf"[{SEPARATORS}]+|\d+|[^\W\d_]+|[^\w_. ()\[\]+,;&'~#@!-]+")
_CASE: Final = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")
_TWO: Final = re.compile(r"[A-Z][a-z]")

USUAL: Final = 0.98
"""Share of names that must be of one shape for a pattern to spell it out."""


@dataclass(frozen=True)
class Field:
    """A part of a name that differs from recording to recording.

    Attributes:
        level: 0 for the file's name, 1 for its folder, 2 for the folder around that, and so on.
        place: pieces from where to where; of a loose shape, tokens from the left (from 0) or right (from -1).
        values: of each recording.
        joined: whether it is more than one piece and not just a token.
    """

    level: int
    place: tuple[int, int]
    values: tuple[str, ...]
    joined: bool = False

    @property
    def counts(self) -> Counter[str]:
        """How often each value occurs."""
        return Counter(self.values)


@dataclass(frozen=True)
class Shape:
    """What the names at one level have in common.

    Attributes:
        level: as of a field.
        pieces: regular expression of each piece; None for a loose shape, of which only the ends are known.
        fits: which names are of the shape.
        fields: in which they differ, whole tokens before parts of them.
        ends: of a loose shape, how many tokens are certain at the left and at the right.
    """

    level: int
    pieces: tuple[str, ...] | None
    fits: tuple[bool, ...]
    fields: tuple[Field, ...]
    ends: tuple[int, int] = (0, 0)

    def pattern(self, chosen: Iterable[tuple[str, Field]]) -> str:
        """Regular expression of names of this shape, with a group for each of some fields."""
        named = {field.place: name for name, field in chosen if field.level == self.level}
        if not named:
            return "[^/]+"
        return self._spelled(named) if self.pieces is not None else self._loose(named)

    def _spelled(self, named: dict[tuple[int, int], str]) -> str:
        pieces = self.pieces or ()
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

    def _loose(self, named: dict[tuple[int, int], str]) -> str:
        token, gap = f"[^/{SEPARATORS}]+", f"[{SEPARATORS}]+"
        lefts = {place[0]: name for place, name in named.items() if place[0] >= 0}
        rights = {place[0]: name for place, name in named.items() if place[0] < 0}

        def group(name: str | None) -> str:
            return f"(?P<{name}>{token})" if name else token

        text = "".join(f"{group(lefts.get(at))}{gap}" for at in range(max(lefts) + 1)) if lefts else ""
        tail = "".join(f"{gap}{group(rights.get(at))}" for at in range(min(rights), 0)) if rights else ""
        return f"{text}[^/]*{tail}" if lefts else f"(?:[^/]*){tail}"


def shape_of(level: int, names: Sequence[str]) -> Shape:
    """The shape that most of some names have.

    Args:
        level: as of a field.
        names: one per recording, without suffix.
    """
    for cut in ([_pieces(name) for name in names], [PIECE.findall(name) for name in names]):
        signatures = [_signature(pieces) for pieces in cut]
        usual, count = Counter(signatures).most_common(1)[0]
        if count >= USUAL * len(names):
            break
    else:
        loose = _loose_shape(level, names)
        if loose is not None:
            return loose
    fits = tuple(signature == usual for signature in signatures)
    rows = [pieces if fit else [""] * len(usual) for pieces, fit in zip(cut, fits, strict=True)]
    columns = list(zip(*rows, strict=True))
    separators = [kind not in "LD" for kind in usual]
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
    """Tokens counted from either end, for names whose middles differ in length."""
    tokens = [list(filter(None, re.split(f"[{SEPARATORS}]+", name))) for name in names]
    least = min(map(len, tokens))
    if least < 2:
        return None
    places = [*range(least - 1), *range(-least + 1, 0)]
    fields = [Field(level, (at, at), tuple(row[at] for row in tokens)) for at in places]
    several = tuple(field for field in fields if len(set(field.values)) > 1)
    return Shape(level, None, (True,) * len(names), several, (least - 1, least - 1))


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


def _signature(pieces: Sequence[str]) -> tuple[str, ...]:
    return tuple("D" if piece.isdigit() else "L" if piece[0].isalpha() else piece for piece in pieces)


def _class(kind: str, values: Sequence[str]) -> str:
    """Regular expression of a piece: its kind, and its length where that never differs."""
    lengths = {len(value) for value in values}
    base = r"\d" if kind == "D" else _letters(values)
    if len(set(values)) == 1 and kind != "D":
        return literal(values[0])
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
