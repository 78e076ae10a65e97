"""What is read off a run's results: calibration, coverage, confusions, worst groups."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from ser_pipeline.report.runs import Predictions, Run
from ser_pipeline.results import GroupKind, GroupScores, Scores

BINS = 15
"""Equal-width bins of confidence, as in the expected calibration error."""

MIN_GROUP_CLIPS = 10
"""Smaller groups are shown but not called the worst: their scores are mostly chance."""

GROUP_KINDS: tuple[GroupKind, ...] = get_args(GroupKind)


@dataclass(frozen=True)
class Calibration:
    """Confidence against hits, by bin; arrays have shape ``(filled bins,)``.

    Attributes:
        confidence: mean probability of the decision.
        accuracy: share of hits.
        clips: number of decisions.
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    clips: npt.NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap, weighted by clips."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float(np.average(gaps, weights=self.clips))


def confidence(predictions: Predictions) -> npt.NDArray[np.float64]:
    """Probability of each decision, shape ``(clips,)``."""
    return predictions.probabilities[np.arange(len(predictions.predicted)), predictions.predicted]


def calibration(predictions: Predictions) -> Calibration:
    """Sort decisions into :data:`BINS` bins of confidence; bins are closed above."""
    sure = confidence(predictions)
    hits = predictions.predicted == predictions.target
    place = np.clip(np.ceil(sure * BINS).astype(np.int64) - 1, 0, BINS - 1)
    clips = np.bincount(place, minlength=BINS)
    filled = clips > 0
    return Calibration(
        confidence=np.bincount(place, sure, BINS)[filled] / clips[filled],
        accuracy=np.bincount(place, hits, BINS)[filled] / clips[filled],
        clips=clips[filled],
    )


def risk_coverage(
    predictions: Predictions,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Error rate when only the surest decisions are taken.

    Returns:
        Coverage and risk, shape ``(clips,)`` each: point ``k`` takes the ``k + 1`` surest clips.
    """
    order = np.argsort(-confidence(predictions), kind="stable")
    misses = (predictions.predicted != predictions.target)[order]
    taken = np.arange(1, len(misses) + 1)
    return taken / max(1, len(misses)), np.cumsum(misses) / taken


@dataclass(frozen=True)
class Mistake:
    """A wrong decision."""

    clip: str
    target: int
    predicted: int
    confidence: float


def surest_mistakes(predictions: Predictions, limit: int = 10) -> list[Mistake]:
    """Wrong decisions with the highest probability, the surest first."""
    sure = confidence(predictions)
    wrong = np.flatnonzero(predictions.predicted != predictions.target)
    order = sorted(wrong.tolist(), key=lambda place: (-sure[place], predictions.clips[place]))
    return [
        Mistake(
            predictions.clips[place],
            int(predictions.target[place]),
            int(predictions.predicted[place]),
            float(sure[place]),
        )
        for place in order[:limit]
    ]


@dataclass(frozen=True)
class Confusion:
    """Clips of one emotion taken for another; ``share`` is of the true emotion's clips."""

    target: str
    predicted: str
    clips: int
    share: float


def top_confusions(scores: Scores, limit: int = 3) -> list[Confusion]:
    """Confusions with the largest share of their true emotion."""
    names = [entry.emotion for entry in scores.classes]
    found = [
        Confusion(names[row], names[column], clips, clips / sum(counts))
        for row, counts in enumerate(scores.confusion)
        for column, clips in enumerate(counts)
        if row != column and clips
    ]
    return sorted(found, key=lambda pair: (-pair.share, pair.target, pair.predicted))[:limit]


def groups_by_kind(run: Run) -> dict[GroupKind, list[GroupScores]]:
    """Groups of the shown part, by what they were made by, worst UAR first; single groups left out."""
    found = {kind: [group for group in run.shown.groups if group.by == kind] for kind in GROUP_KINDS}
    return {
        kind: sorted(groups, key=lambda group: (group.uar, group.name))
        for kind, groups in found.items()
        if len(groups) > 1
    }


def worst_groups(run: Run) -> list[GroupScores]:
    """The group with the lowest UAR of each kind, among those of :data:`MIN_GROUP_CLIPS` clips or more."""
    enough = (
        [group for group in groups if group.clips >= MIN_GROUP_CLIPS]
        for groups in groups_by_kind(run).values()
    )
    return [groups[0] for groups in enough if len(groups) > 1]
