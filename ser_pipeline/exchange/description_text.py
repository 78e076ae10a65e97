"""The description of an imported corpus, as TOML."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from ser_pipeline.exchange.items import TOLD, VOTES, columns_of
from ser_pipeline.records import RATINGS


def description_text(
    corpus: str,
    folder: str,
    about: Mapping[str, str],
    codes: Mapping[str, str],
    labels: Mapping[str, int],
    facts: Sequence[Mapping[str, str]],
) -> str:
    """The description as TOML; a JSON string is one of TOML, too."""
    columns = columns_of(facts)
    told = {"name": corpus, **{key: text for key, text in about.items() if text}}
    blocks = [f"{key} = {_quoted(text)}" for key, text in told.items()]
    blocks += [f"folders = [{_quoted(re.escape(folder))}]", "", "[codes.emotion]"]
    blocks += [f"{_quoted(label)} = {_quoted(emotion)}" for label, emotion in sorted(codes.items())]
    if odd := [label for label in labels if label and label not in codes]:
        blocks += ["", "[refused.emotion]"]
        blocks += [f"{_quoted(label)} = {_quoted(f'label {label!r} is no emotion')}" for label in odd]
    if scales := {fact: scale for fact in RATINGS if (scale := _scale(fact, facts))}:
        blocks += ["", "[scales]"]
        blocks += [f"{fact} = [{low:g}, {high:g}]" for fact, (low, high) in scales.items()]
    by_fact = {"path": "path", **{fact: fact for fact in columns if fact in TOLD}}
    votes = {fact.removeprefix(VOTES): fact for fact in columns if fact not in TOLD}
    blocks += [
        "",
        "[[tables]]",
        f"file = {_quoted(corpus + '.csv')}",
        "rows = true",
        _inline("columns", by_fact),
    ]
    return "\n".join([*blocks, *([_inline("votes", votes)] if votes else [])]) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _inline(key: str, pairs: Mapping[str, str]) -> str:
    return f"{key} = {{ {', '.join(f'{name} = {_quoted(value)}' for name, value in pairs.items())} }}"


def _scale(fact: str, facts: Iterable[Mapping[str, str]]) -> tuple[float, float] | None:
    """The usual scale of ratings outside the range of their fact; None if they fit it, or are no numbers."""
    try:
        values = [float(line[fact].replace(",", ".")) for line in facts if line.get(fact)]
    except ValueError:
        return None
    low, high = RATINGS[fact]
    if not values or not all(map(math.isfinite, values)) or low <= min(values) <= max(values) <= high:
        return None
    scales = ((1, 5), (1, 7), (1, 9), (0, 10), (-5, 5), (0, 100))
    fits = next((s for s in scales if s[0] <= min(values) and max(values) <= s[1]), None)
    return fits or (min(values), max(values))
