"""What stands behind a model's temperature and its threshold for abstaining, in clips and in words."""

from typing import Final

from ser_pipeline.runs.types import RunScores, Scores
from ser_pipeline.tables.cells import percent_text, plural

FEWEST_CLIPS: Final = 50
"""With fewer validation clips no threshold is chosen."""

FEWEST_ANSWERED: Final = 10
"""Likewise if fewer of them reach it."""


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
