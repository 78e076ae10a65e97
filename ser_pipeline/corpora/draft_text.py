"""The draft of a description as TOML, with a remark at whatever is a guess."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ser_pipeline.corpora.draft import Draft
from ser_pipeline.corpora.draft_tables import TableGuess
from ser_pipeline.corpora.guesses import Guess
from ser_pipeline.corpora.shapes import literal
from ser_pipeline.corpora.values import PART_OF
from ser_pipeline.corpora.words import is_level
from ser_pipeline.errors import some
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.tables.cells import plural

CODED = ("emotion", "gender", "intensity", "language", "part", "style")
"""Facts whose codes a draft writes down."""


def as_toml(found: Draft, *, language: str | None = None) -> str:
    """The draft as a description, with a remark at whatever is a guess.

    Args:
        found: the draft.
        language: BCP 47 tag; None guesses it.
    """
    tag = language or found.language or "und"
    remark = "    # a guess" if found.language else '    # say which, as "it" or "en-GB"'
    lines = [
        "# A draft: read it, and correct what is wrong. docs/corpora/describe.md explains every key.",
        f"name = {_quoted(found.name)}",
        f"title = {_quoted(found.folder)}",
        f"language = {_quoted(tag)}{'' if language else remark}",
        'style = "unknown"    # say which: "acted", "elicited" or "conversational"',
        f"folders = [{_quoted(literal(found.folder))}]",
    ]
    if not any(table.rows for table in found.tables):
        lines += [f"layout = {_quoted(found.layout)}", f"pattern = {_quoted(found.pattern)}"]
    for guess in found.guesses:
        if not guess.sure and guess.fact != "sentence":
            lines.append(f"# unsure: {guess.fact} is read from the {guess.source} ({_few(guess)})")
    lines += [f"# nothing says what its codes mean; it may also be the {rival}" for rival in found.rivals]
    lines += [f"# {guess.fact} may also be {rival}" for guess in found.guesses for rival in guess.rivals]
    for guess in found.guesses:
        if guess.parts:
            lines += ["", "[joined]", f"{guess.fact} = [{', '.join(map(_quoted, guess.parts))}]"]
    if found.guess("emotion") is None and not any(table.votes for table in found.tables):
        lines += ["", "[facts]", 'emotion = "other"    # nothing names emotions, but there are ratings']
    lines += _codes(found) + _scales(found)
    for table in found.tables:
        lines += _table_lines(table)
    return "\n".join(lines) + "\n"


def _codes(found: Draft) -> list[str]:
    lines = []
    for fact in CODED:
        guesses = [guess for guess in found.guesses if guess.fact == fact]
        codes = {code: value for guess in guesses for code, value in guess.codes.items()}
        if fact == "part":
            codes |= {code: value for table in found.tables for code, value in table.parts.items()}
            codes = {code: value for code, value in codes.items() if PART_OF.get(code.lower()) != value}
        if codes or (fact == "emotion" and guesses):
            lines += ["", f"[codes.{fact}]"]
            lines += [f"{_quoted(code)} = {_quoted(codes[code])}" for code in sorted(codes)]
            lines += _untold(guesses[0]) if fact == "emotion" else []
    return lines


def untold_line(code: str, count: int) -> str:
    """The line of ``[codes.emotion]`` that asks what a code means.

    Args:
        code: as a string of TOML.
        count: recordings that have it.

    Examples:
        >>> untold_line('"6"', 2)
        '# "6" = "?"    # 2 recordings: say which emotion, or "other"'
    """
    return f'# {code} = "?"    # {plural(count, "recording")}: say which emotion, or "other"'


def _untold(guess: Guess) -> list[str]:
    refused = [code for code in guess.untold if is_level(code)]
    lines = [untold_line(_quoted(code), guess.counts[code]) for code in guess.untold if code not in refused]
    if refused:
        lines += ["", "[refused.emotion]"]
        lines += [f'{_quoted(code)} = "{code} is a level, not an emotion"' for code in refused]
    return lines


def _scales(found: Draft) -> list[str]:
    rated = [guess for guess in found.guesses if guess.fact in DIMENSIONS]
    if not rated:
        return []
    values = [float(code.replace(",", ".")) for guess in rated for code in guess.counts]
    low, high = math.floor(min(values)), math.ceil(max(values))
    met = "as met in all" if len(rated) > 1 else "as met"
    scale = f"[{low}, {max(high, low + 1)}]    # {met}; say the scale's own range"
    return ["", "[scales]", *(f"{guess.fact} = {scale}" for guess in rated)]


def _table_lines(table: TableGuess) -> list[str]:
    columns = {"path": table.key[0], **table.columns} if table.rows else table.columns
    lines = []
    unread = ", ".join(table.unread)
    for file in table.files:
        lines += ["", "[[tables]]", f"file = {_quoted(file)}"]
        lines += (
            [f"# not read: {unread}; for segments, set rows = true and name these columns"] if unread else []
        )
        lines += [f"# {line}" for line in table.remarks]
        lines += (
            ["rows = true"] if table.rows else [f"key = {_list(table.key)}", f"match = {_list(table.match)}"]
        )
        lines += [] if table.heading else ["heading = false"]
        lines += ["more = true"] if table.more and not table.rows else []
        lines += [f"columns = {_inline(columns)}"] if columns else []
        lines += [f"votes = {_inline(table.votes)}"] if table.votes else []
        lines += (
            [f"raters = {_list(table.raters)}    # one listener each; their votes"] if table.raters else []
        )
    return lines


def _list(texts: Iterable[str]) -> str:
    quoted = [*map(_quoted, texts)]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


def _inline(values: Mapping[str, str | Sequence[str]]) -> str:
    texts = ((name, [text] if isinstance(text, str) else text) for name, text in values.items())
    return f"{{ {', '.join(f'{name} = {_list(text)}' for name, text in texts)} }}"


def _few(guess: Guess) -> str:
    return some([f"{code} {count} times" for code, count in Counter(guess.counts).most_common(6)], show=6)


def _quoted(text: str) -> str:
    """A text of TOML: as it is between single quotes where that can be."""
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
