"""The draft of a description as TOML, with a remark at whatever is a guess."""

import math
from collections import Counter

from ser_pipeline.corpora.draft import Draft, TableGuess
from ser_pipeline.corpora.guesses import Guess
from ser_pipeline.corpora.shapes import literal
from ser_pipeline.corpora.words import is_level, language_of_labels
from ser_pipeline.errors import some


def as_toml(found: Draft, *, language: str | None = None) -> str:
    """The draft as a description, with a remark at whatever is a guess.

    Args:
        found: the draft.
        language: BCP 47 tag; None guesses it from the labels.
    """
    emotion = found.guess("emotion")
    guessed = language_of_labels(list(emotion.counts)) if emotion else None
    tag = language or guessed or "und"
    remark = (
        ""
        if language
        else "    # guessed from the labels"
        if guessed
        else '    # say which, as "it" or "en-GB"'
    )
    lines = [
        "# A draft: read it, and correct what is wrong. docs/corpora/describe.md explains every key.",
        f"name = {_quoted(found.name)}",
        f"title = {_quoted(found.folder)}",
        f"language = {_quoted(tag)}{remark}",
        'style = "acted"    # or "elicited" or "conversational"',
        f"folders = [{_quoted(literal(found.folder))}]",
    ]
    by_rows = found.table is not None and found.table.rows
    if not by_rows:
        lines += [f"layout = {_quoted(found.layout)}", f"pattern = {_quoted(found.pattern)}"]
    for guess in found.guesses:
        if not guess.sure and guess.fact != "sentence":
            lines.append(f"# unsure: {guess.fact} is read from the {guess.source} ({_few(guess)})")
    for guess in found.guesses:
        lines += _codes(guess)
    lines += _scales(found)
    if found.table is not None:
        lines += _table_lines(found.table)
    return "\n".join(lines) + "\n"


def _codes(guess: Guess) -> list[str]:
    if guess.fact not in ("emotion", "gender", "intensity"):
        return []
    refused = [code for code in guess.untold if guess.fact == "emotion" and is_level(code)]
    lines = ["", f"[codes.{guess.fact}]"]
    lines += [f"{_quoted(code)} = {_quoted(guess.codes[code])}" for code in sorted(guess.codes)]
    lines += [
        f'# {_quoted(code)} = "?"    # {guess.counts[code]} recordings: say which emotion, or "other"'
        for code in guess.untold
        if code not in refused and guess.fact == "emotion"
    ]
    if refused:
        lines += ["", "[refused.emotion]"]
        lines += [f'{_quoted(code)} = "{code} is a level and no emotion"' for code in refused]
    return lines


def _scales(found: Draft) -> list[str]:
    lines = []
    for guess in found.guesses:
        if guess.fact in ("valence", "arousal", "dominance"):
            values = [float(code.replace(",", ".")) for code in guess.counts]
            low, high = math.floor(min(values)), math.ceil(max(values))
            lines.append(
                f"{guess.fact} = [{low}, {max(high, low + 1)}]    # as met; say the scale's own range"
            )
    return ["", "[scales]", *lines] if lines else []


def _table_lines(table: TableGuess) -> list[str]:
    columns = dict(table.columns)
    if table.rows:
        columns = {"path": table.key, **columns}
    said = ", ".join(f"{fact} = {_quoted(column)}" for fact, column in columns.items())
    lines = ["", "[[tables]]", f"file = {_quoted(table.file)}"]
    lines += ["rows = true"] if table.rows else [f"key = {_quoted(table.key)}", f'match = "{table.match}"']
    return [*lines, f"columns = {{ {said} }}"]


def _few(guess: Guess) -> str:
    return some([f"{code} {count} times" for code, count in Counter(guess.counts).most_common(6)], show=6)


def _quoted(text: str) -> str:
    """A text of TOML: as it is between single quotes where that can be."""
    if "'" not in text and text.isprintable():
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
