"""How a run's answers follow listeners: its probabilities their votes, its ratings their ratings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Float64s, Strings, texts_of
from ser_pipeline.datasets.targets import vote_counts
from ser_pipeline.evaluation.score import (
    GROUPS,
    Certainties,
    Priors,
    manifest_rows,
    score_predictions,
    training_priors,
)
from ser_pipeline.labels import DIMENSIONS, Task, rating_task
from ser_pipeline.metrics import (
    describe_intervals,
    rating_columns,
    rating_scores,
    speaker_sums,
    sum_intervals,
    vote_columns,
    vote_scores,
)
from ser_pipeline.records import PARTS, named_among, names_nobody
from ser_pipeline.runs.files import write_scores
from ser_pipeline.runs.predictions import probabilities_of, write_ratings
from ser_pipeline.runs.ratings import Estimate, GroupKind, RatedPart, RatingScores, VoteScores
from ser_pipeline.runs.types import Certainty, RunInfo, RunScores

_FEWEST: Final = 2
"""Rated clips that a score of ratings needs."""


def task_of(info: RunInfo) -> Task:
    """The task that a run was trained on."""
    if info.recipe.target:
        return rating_task(info.recipe.target)
    return Task(info.recipe.task, info.emotions, info.merges, info.corpora)


def decision_scores(
    predictions: pa.Table, manifest: pa.Table, task: Task, priors: Priors, certainties: Certainties
) -> RunScores:
    """Score decisions for emotions, and how closely their probabilities follow the votes of listeners.

    Args and errors are those of :func:`ser_pipeline.evaluation.score.score_predictions`; ``task`` has the
    classes and merges.
    """
    scores = score_predictions(predictions, manifest, task.emotions, priors, certainties)
    return with_votes(scores, predictions, manifest, task)


def model_scores(
    predictions: pa.Table, manifest: pa.Table, task: Task, fold: int | None, certainty: Certainty | None
) -> RunScores:
    """Do the same for one model, whose training clips are among the predictions.

    Args:
        predictions: as for :func:`decision_scores`.
        manifest: likewise.
        task: likewise.
        fold: that tests the clips of part ``test``; None without folds.
        certainty: of the model; None where nothing is known.
    """
    priors = {fold: training_priors(predictions, manifest, len(task.emotions))}
    return decision_scores(
        predictions, manifest, task, priors, {} if certainty is None else {fold: certainty}
    )


def with_votes(scores: RunScores, predictions: pa.Table, manifest: pa.Table, task: Task) -> RunScores:
    """Add to each part's scores how closely the probabilities follow the votes of listeners.

    Args:
        scores: of the same predictions.
        predictions: columns of :func:`ser_pipeline.runs.predictions.prediction_schema`.
        manifest: its table, or the rows of the clips; has ``utterance_id``, ``speaker_id`` and ``votes``.
        task: classes and merges; votes for other emotions count for nothing.
    """
    parts = {}
    for part, found in scores.parts.items():
        rows = predictions.filter(pc.equal(predictions["part"], part))
        known = manifest_rows(rows["utterance_id"], manifest.select(["utterance_id", "speaker_id", "votes"]))
        counts = vote_counts(known["votes"], task)
        voted = counts.any(1)
        said = probabilities_of(rows, task.emotions)
        told = _votes(counts[voted], said[voted], texts_of(known["speaker_id"])[voted])
        parts[part] = found.model_copy(update={"votes": told})
    return scores.model_copy(update={"parts": parts})


def _votes(counts: Float64s, said: Float64s, speakers: Strings) -> VoteScores | None:
    if not len(counts):
        return None
    sums = speaker_sums(vote_columns(counts / counts.sum(1, keepdims=True), said), speakers)
    intervals = sum_intervals(sums, vote_scores)
    found = {name: _estimate(value, intervals[name]) for name, value in vote_scores(sums.sum(0)).items()}
    people = len(named_among(np.unique(speakers).tolist()))
    return VoteScores(clips=len(counts), speakers=people, **found)


def keep_dimensions(folder: Path, table: pa.Table, scores: RunScores, manifest: pa.Table) -> RunScores:
    """Write a run's ratings, and add to its scores how closely they follow those of listeners.

    Args:
        folder: of the run.
        table: from :func:`ser_pipeline.evaluation.predict.dimension_table`.
        scores: of the same clips.
        manifest: its table, or the rows of the clips.
    """
    write_ratings(folder, table)
    return with_ratings(scores, table, manifest)


def with_ratings(scores: RunScores, table: pa.Table, manifest: pa.Table) -> RunScores:
    """Add to each part's scores how closely a network's ratings follow those of listeners.

    Args:
        scores: of the same clips.
        table: from :func:`ser_pipeline.evaluation.predict.dimension_table`.
        manifest: its table, or the rows of the clips; has ``utterance_id``, ``corpus`` and ``speaker_id``.
    """
    parts = {}
    for part, found in scores.parts.items():
        ratings, _ = _ratings(table, part, manifest)
        pooled = {each.dimension: each for each in ratings if each.by is None}
        agreement = {name: _value(pooled[name].ccc) if name in pooled else None for name in DIMENSIONS}
        parts[part] = found.model_copy(update={"concordance": agreement, "ratings": ratings})
    return scores.model_copy(update={"parts": parts})


def rated_scores(table: pa.Table, manifest: pa.Table) -> RunScores:
    """Score a run whose targets are ratings.

    Args:
        table: from :func:`ser_pipeline.evaluation.predict.dimension_table`.
        manifest: as for :func:`with_ratings`.
    """
    rated = {}
    for part in PARTS:
        ratings, speakers = _ratings(table, part, manifest)
        if len(speakers):
            people, unnamed = sorted(set(speakers.tolist())), sum(map(names_nobody, speakers.tolist()))
            rated[part] = RatedPart(
                clips=len(speakers),
                speakers=len(named_among(people)),
                ratings=ratings,
                interval=describe_intervals(people, unnamed=unnamed),
            )
    return RunScores(parts={}, rated=rated)


def keep_rated(folder: Path, table: pa.Table, manifest: pa.Table) -> RunScores:
    """Write ratings and scores of a run that rates alone; arguments as for :func:`keep_dimensions`."""
    scores = rated_scores(table, manifest)
    write_ratings(folder, table)
    write_scores(folder, scores)
    return scores


def _ratings(table: pa.Table, part: str, manifest: pa.Table) -> tuple[tuple[RatingScores, ...], Strings]:
    """Scores of ratings of the clips of one part, all of them and by group, and who speaks in each."""
    rows = table.filter(pc.equal(table["part"], part))
    known = manifest_rows(rows["utterance_id"], manifest.select(["utterance_id", *GROUPS.values()]))
    facts = {kind: texts_of(known[column]) for kind, column in GROUPS.items()}
    ratings: list[RatingScores] = []
    for dimension in (name for name in DIMENSIONS if name in rows.column_names):
        rated, said = (_numbers(rows, name) for name in (f"rated_{dimension}", dimension))
        there = ~np.isnan(rated)
        groups: list[tuple[GroupKind | None, str, Bools]] = [(None, "", there)]
        groups += [(kind, name, of == name) for kind, of in facts.items() for name in np.unique(of).tolist()]
        for kind, name, inside in groups:
            here = there & inside
            if int(here.sum()) >= _FEWEST:
                scored = _rated(rated[here], said[here], facts["speaker"][here])
                ratings.append(RatingScores(dimension=dimension, by=kind, name=name, **scored))
    return tuple(ratings), facts["speaker"]


def _rated(rated: Float64s, said: Float64s, speakers: Strings) -> Mapping[str, object]:
    sums = speaker_sums(rating_columns(rated, said), speakers)
    intervals = sum_intervals(sums, rating_scores)
    found = {name: _estimate(value, intervals[name]) for name, value in rating_scores(sums.sum(0)).items()}
    named = len(named_among(np.unique(speakers).tolist()))
    return {"clips": len(rated), "speakers": named, **found}


def _estimate(value: Float64s, ends: tuple[float, float] | tuple[None, None]) -> Estimate | None:
    return Estimate(value=float(value), low=ends[0], high=ends[1]) if np.isfinite(value) else None


def _value(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.value


def _numbers(table: pa.Table, column: str) -> Float64s:
    return np.asarray(table[column].to_numpy(zero_copy_only=False), np.float64)
