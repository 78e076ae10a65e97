"""What the decisions say about a claim: figures, before anything is corrected or called by a name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median
from types import MappingProxyType
from typing import Final

import numpy as np

from ser_pipeline.arrays import Int64s, Strings
from ser_pipeline.evaluation.compare import RunDecisions
from ser_pipeline.experiments.place import CellRecord
from ser_pipeline.experiments.spec import ClaimSpec
from ser_pipeline.labels import distance_matrix
from ser_pipeline.metrics import (
    SCORES,
    Comparison,
    Score,
    best_class_lead,
    bootstrap_p,
    compare,
    confusion_lead,
    drawn_scores,
    error_distance,
    percentile_interval,
    recall,
)
from ser_pipeline.runs.findings import Figures, Unit

WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro-F1", "error_distance": "distance of errors"}
)

Lead = tuple[Score, float, float, float | None, str]
"""What must lie above a number, that number, first and second figure, and what else was seen."""


@dataclass(frozen=True)
class Measured:
    """Figures of a claim.

    Attributes:
        figures: as they are shown.
        decides: the same difference, moved so that the claim is met above zero; None where no interval
            decides.
        note: what else was seen, in words.
        met: for claims that no interval decides: whether it is met, None where seeds disagree.
    """

    figures: Figures
    decides: Comparison | None
    note: str = ""
    met: bool | None = None


def unit_of(claim: ClaimSpec) -> Unit:
    """Unit of a claim's figures."""
    if claim.kind == "faster":
        return "clips/s"
    return "distance" if claim.score == "error_distance" else "points"


def measured(
    claim: ClaimSpec, arms: Sequence[Sequence[str]], clips: Strings, decisions: RunDecisions
) -> Measured:
    """Measure a claim on some clips.

    Args:
        claim: any but of kind ``faster``, about emotions that the task has.
        arms: keys of the seeds of each arm.
        clips: that all of them were tested on.
        decisions: of the cells.

    Raises:
        LabelError: distances of emotions that have none.
    """
    counts = [decisions.counts(keys, clips) for keys in arms]
    emotions = decisions.of(arms[0][0]).emotions
    if claim.kind in ("better", "no worse"):
        return _paired(claim, counts, emotions, len(clips), decisions.people(clips))
    return _alone(claim, counts[0], emotions, len(clips), decisions.people(clips))


def _paired(
    claim: ClaimSpec, counts: list[Int64s], emotions: tuple[str, ...], clips: int, people: int
) -> Measured:
    lower = claim.score == "error_distance"
    score: Score = (
        partial(error_distance, distances=distance_matrix(emotions)) if lower else SCORES[claim.score]
    )
    # of distances the smaller is the better one: the gain is second minus first
    first, second = counts[::-1] if lower else counts
    found = compare(first, second, scores={"it": score}, people=people)["it"]
    if claim.kind == "no worse":
        draws = drawn_scores((first, second), {"it": score}).get("it")
        p = 1.0 if draws is None else bootstrap_p(draws[0] - draws[1], -claim.margin)
        figures = _figures(found, clips, p)
        low, high = (None if end is None else end + claim.margin for end in (found.low, found.high))
        moved = replace(found, difference=found.difference + claim.margin, low=low, high=high, p=p)
        return Measured(figures, moved)
    seeds = (len(counts[0]), len(counts[1]))
    figures = _figures(found, clips, found.p)
    if lower:
        figures = figures.model_copy(update={"first": found.second, "second": found.first, "seeds": seeds})
    return Measured(figures, found)


def _alone(claim: ClaimSpec, counts: Int64s, emotions: tuple[str, ...], clips: int, people: int) -> Measured:
    """Claims about one arm: its lead over something else, drawn over speakers and seeds."""
    lead, least, first, second, note = _LEADS[claim.kind](claim, counts, emotions)
    draws = drawn_scores((counts,), {"it": lead}).get("it")
    low, high = percentile_interval(None if draws is None else draws[0] - least)
    p = 1.0 if draws is None else bootstrap_p(draws[0], least)
    difference = float(lead(counts.sum(1)).mean()) - least
    seeds = (len(counts), len(counts))
    found = Comparison(first, first - difference, difference, low, high, p, people, seeds)
    figures = _figures(found, clips, p).model_copy(update={"second": second})
    return Measured(figures, found, note)


def _reaches(claim: ClaimSpec, counts: Int64s, emotions: tuple[str, ...]) -> Lead:
    score, value = SCORES[claim.score], claim.value or 0.0
    return score, value, float(score(counts.sum(1)).mean()), value, ""


def _best_class(claim: ClaimSpec, counts: Int64s, emotions: tuple[str, ...]) -> Lead:
    number = _number(claim.emotion, emotions)
    recalls = recall(counts.sum(1)).mean(0)
    order = np.argsort(-recalls, kind="stable")
    note = "recall: " + ", ".join(f"{emotions[k]} {100 * recalls[k]:.1f} %" for k in order)
    lead = partial(best_class_lead, number=number)
    first = float(recalls[number])
    return lead, 0.0, first, first - float(lead(counts.sum(1)).mean()), note


def _top_confusions(claim: ClaimSpec, counts: Int64s, emotions: tuple[str, ...]) -> Lead:
    known = [pair for pair in claim.pairs if set(pair) <= set(emotions)]
    pairs = [(_number(one, emotions), _number(other, emotions)) for one, other in known]
    whole = counts.sum((0, 1))
    shares = whole / np.maximum(whole.sum(1, keepdims=True), 1)
    every = [(a, b) for a in range(len(emotions)) for b in range(a + 1, len(emotions))]
    rates = sorted(every, key=lambda pair: -(shares[pair] + shares[pair[::-1]]))
    note = "most often confused: " + ", ".join(
        f"{emotions[a]}/{emotions[b]} {50 * (shares[a, b] + shares[b, a]):.1f} %" for a, b in rates[:5]
    )
    lead = partial(confusion_lead, pairs=pairs)
    return lead, 0.0, float(lead(counts.sum(1)).mean()), None, note


_LEADS: Final[Mapping[str, Callable[[ClaimSpec, Int64s, tuple[str, ...]], Lead]]] = MappingProxyType(
    {"reaches": _reaches, "best class": _best_class, "top confusions": _top_confusions}
)


def speeds(first: Sequence[CellRecord], second: Sequence[CellRecord]) -> Measured:
    """Compare clips a second from samples to decision; met if every seed of the first arm is faster."""
    one, other = ([clips_per_second(record) for record in arm] for arm in (first, second))
    figures = Figures(
        first=median(one),
        second=median(other),
        difference=median(one) - median(other),
        low=None,
        high=None,
        p=None,
        clips=1,
        speakers=0,
        seeds=(len(one), len(other)),
    )
    met = True if min(one) > max(other) else False if max(one) <= min(other) else None
    ms = [
        f"{median(r.front_end_ms for r in arm):.1f} + {median(r.network_ms for r in arm):.1f}"
        for arm in (first, second)
    ]
    note = f"front end + network, ms per clip of 3 s: {ms[0]} against {ms[1]}"
    return Measured(figures, None, note, met)


def clips_per_second(record: CellRecord) -> float:
    """Clips of three seconds that a cell's model decides in a second, one at a time, from samples."""
    return 1000 / (record.front_end_ms + record.network_ms)


def _number(emotion: str, emotions: tuple[str, ...]) -> int:
    return emotions.index(emotion)


def _figures(found: Comparison, clips: int, p: float) -> Figures:
    return Figures(
        first=found.first,
        second=found.second,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=p,
        clips=clips,
        speakers=found.speakers,
        seeds=found.seeds,
    )
