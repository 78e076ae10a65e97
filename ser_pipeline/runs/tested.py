"""Which emotions the clips of a part tell about: a UAR is a mean over these alone, as that of guessing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ser_pipeline.tables.cells import listed

if TYPE_CHECKING:
    from ser_pipeline.runs.types import Scores

FEW_CLIPS: Final = 5
"""A recall over fewer clips of an emotion tells little."""


def untested(scores: "Scores") -> tuple[str, ...]:
    """Emotions of the task without a clip, in the order of the task."""
    return tuple(each.emotion for each in scores.classes if not each.clips)


def with_clips(scores: "Scores") -> tuple[str, ...]:
    """Emotions of the task with clips, likewise."""
    return tuple(each.emotion for each in scores.classes if each.clips)


def few(scores: "Scores") -> tuple[str, ...]:
    """Emotions with fewer than :data:`FEW_CLIPS` clips, but some, and their number: ``fear (3)``."""
    return tuple(f"{each.emotion} ({each.clips})" for each in scores.classes if 0 < each.clips < FEW_CLIPS)


def chance(scores: "Scores") -> float:
    """UAR of guessing one of the emotions that have clips."""
    return 1 / max(1, len(with_clips(scores)))


def lacking(part: str, scores: "Scores") -> str:
    """Emotions with no or with few clips, in words that go on after "there are"; "" where all have enough.

    Args:
        part: that the scores are of, for the words.
        scores: over its clips.
    """
    return in_words(f"{part} clips", untested(scores), few(scores))


def in_words(clips: str, none: Sequence[str], few: Sequence[str] = ()) -> str:
    """Say of which emotions there are no or few clips.

    Examples:
        >>> in_words("test clips", ["anger", "fear"], ["sadness (3)"])
        'no test clips of anger or fear, and few of sadness (3)'
        >>> in_words("test clips", [], ["fear (1)", "sadness (3)"])
        'few test clips of fear (1) and sadness (3)'
    """
    told = [f"no {clips} of {listed(none, 'or')}"] if none else []
    if few:
        told.append(f"few {'' if none else f'{clips} '}of {listed(few)}")
    return ", and ".join(told)


def share_tested(scores: "Scores") -> str:
    """How many emotions were tested, of how many.

    Returns:
        As ``4``, or ``1 of 4`` where some have no clip.
    """
    count, found = len(scores.classes), len(with_clips(scores))
    return str(count) if found == count else f"{found} of {count}"
