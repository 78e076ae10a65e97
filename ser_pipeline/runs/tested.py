"""What stands behind scores, temperature and threshold of a model, in clips and in words.

A UAR is a mean over the emotions that the clips of a part tell about alone, as that of guessing.
"""

from collections.abc import Sequence
from typing import Final

from ser_pipeline.runs.types import GroupScores, PartScores, RunScores, Scores
from ser_pipeline.tables.cells import listed, percent_text, plural

FEW_CLIPS: Final = 5
"""A recall over fewer clips of an emotion tells little."""

FEWEST_CLIPS: Final = 50
"""With fewer validation clips no threshold is chosen."""

FEWEST_ANSWERED: Final = 10
"""Likewise if fewer of them reach it."""


def untested(scores: Scores) -> tuple[str, ...]:
    """Emotions of the task without a clip, in the order of the task."""
    return tuple(each.emotion for each in scores.classes if not each.clips)


def with_clips(scores: Scores) -> tuple[str, ...]:
    """Emotions of the task with clips, likewise."""
    return tuple(each.emotion for each in scores.classes if each.clips)


def whole_groups(part: PartScores, groups: Sequence[GroupScores]) -> list[GroupScores]:
    """Groups with clips of every emotion of their part: a UAR over fewer emotions does not compare.

    Groups are left out, too, if their scores are from before it was kept how many emotions they have.
    """
    every = len(with_clips(part.pooled))
    return [group for group in groups if group.emotions == every]


def few(scores: Scores) -> tuple[str, ...]:
    """Emotions with fewer than :data:`FEW_CLIPS` clips, but some, and their number: ``fear (3)``."""
    return tuple(f"{each.emotion} ({each.clips})" for each in scores.classes if 0 < each.clips < FEW_CLIPS)


def chance(scores: Scores) -> float:
    """UAR of guessing one of the emotions that have clips."""
    return 1 / max(1, len(with_clips(scores)))


def lacking(part: str, scores: Scores) -> str:
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


def share_tested(scores: Scores) -> str:
    """How many emotions were tested, of how many.

    Returns:
        As ``4``, or ``1 of 4`` where some have no clip.
    """
    count, found = len(scores.classes), len(with_clips(scores))
    return str(count) if found == count else f"{found} of {count}"


def answers(scores: Scores) -> str:
    """How many clips reach the threshold, and how many of them are wrong; "" without a threshold.

    Returns:
        As ``5 of 16 clips are answered, 1 of them wrong; without abstaining, 4 would be wrong``.
    """
    if scores.answered is None:
        return ""
    answered = round(scores.answered * scores.clips)
    wrong = round(answered * (1 - (scores.answered_accuracy or 0)))
    every = round(scores.clips * (1 - scores.accuracy.value))
    of = f"{answered:,} of {plural(scores.clips, 'clip')} {'is' if answered == 1 else 'are'} answered"
    return f"{of}, {wrong:,} of them wrong; without abstaining, {every:,} would be wrong"


def too_few(scores: RunScores) -> str:
    """Why a run has no threshold that can be trusted; "" where nothing speaks against it.

    Folds have one each, of which the scores of all together do not tell.
    """
    found, known = scores.parts.get("validation"), scores.certainty
    if found is None or known is None:
        return ""
    clips = found.pooled.clips
    if clips < FEWEST_CLIPS:
        return f"{plural(clips, 'validation clip')} {'is' if clips == 1 else 'are'} too few to choose one"
    if known.abstain_below is None:
        return f"none halves the errors among at least {FEWEST_ANSWERED} validation clips"
    answered = round((found.pooled.answered or 0) * clips)
    if answered < FEWEST_ANSWERED:
        return f"only {plural(answered, 'validation clip')} would be answered, too few to choose one"
    return ""


def worse_calibrated(scores: RunScores) -> str:
    """Say where the temperature makes the calibration error of validation clips larger; else ""."""
    found = scores.parts.get("validation")
    if found is None or found.pooled.ece_before is None or found.pooled.ece <= found.pooled.ece_before:
        return ""
    return (
        "the temperature makes the calibration error on validation clips larger: "
        f"{percent_text(found.pooled.ece)} instead of {percent_text(found.pooled.ece_before)}"
    )
