"""Columns of a table that hold the answers of one listener each, or say how many chose an emotion."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from ser_pipeline.corpora.words import columns_of_fact, emotion_of_word

FEWEST: Final = 3
"""Columns that are called alike, or emotions that have columns, from which on these are of listeners."""

_WHICH: Final = re.compile(r"\d+|(?<=[a-z])[A-Z]$|(?<=[\W_])[A-Za-z]$|^[A-Za-z](?=[\W_])")
"""The number or letter by which names tell listeners apart."""

_AGREED: Final = re.compile("final|gold|major|consens|agree|truth|true")
"""In the name of a column of labels that all listeners together gave."""


def is_agreed(column: str) -> bool:
    """Whether a column of labels is called like what listeners agreed on.

    Examples:
        >>> is_agreed("final_label"), is_agreed("ann1")
        (True, False)
    """
    return _AGREED.search(column.lower()) is not None


def raters_among(labels: Iterable[str]) -> tuple[str, ...]:
    """Columns of listeners: those that are called alike but for a number or letter, or all like listeners.

    Args:
        labels: names of columns that hold labels; predictions are left out.

    Returns:
        The largest such group; nothing where it has fewer than three.

    Examples:
        >>> raters_among(["gold", "ann1", "ann2", "ann3"]), raters_among(["emotion", "pred_1", "pred_2"])
        (('ann1', 'ann2', 'ann3'), ())
        >>> raters_among(["emotionA", "emotionB", "emotionC"]), raters_among(["rater_jo", "rater_al"])
        (('emotionA', 'emotionB', 'emotionC'), ())
        >>> raters_among(["rater_jo", "rater_al", "rater_ed"])
        ('rater_jo', 'rater_al', 'rater_ed')
    """
    alike: dict[str, list[str]] = defaultdict(list)
    for name in labels:
        told = next((word for word in columns_of_fact("rater") if word in name.lower()), name)
        called = _WHICH.sub("#", name)
        called = called if "#" in called else told
        if called != name and not re.search("pred|model", name.lower()):
            alike[called].append(name)
    most = max(alike.values(), key=len, default=[])
    return tuple(most) if len(most) >= FEWEST else ()


def votes_among(columns: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Emotion -> columns of how many chose it, if at least three are called like emotions and hold counts.

    Args:
        columns: name -> cells.

    Examples:
        >>> votes_among({"Anger": ["2", ""], "joy": ["0", "1"], "shame": ["1", "2"], "fear": ["x", "1"]})
        {'anger': ['Anger'], 'happiness': ['joy'], 'other': ['shame']}
    """
    votes: dict[str, list[str]] = defaultdict(list)
    for name, cells in columns.items():
        emotion = emotion_of_word(name)
        if emotion is not None and all(re.fullmatch(r"(\d{1,4}(\.0)?)?", cell.strip()) for cell in cells):
            votes[emotion].append(name)
    return dict(votes) if len(votes) >= FEWEST else {}
