"""From predictions to scores: pooled, averaged over corpora, and by group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Float64s, Int64s, Strings, texts_of
from ser_pipeline.errors import LabelError, RunError
from ser_pipeline.labels import distance_matrix
from ser_pipeline.metrics import (
    accuracy,
    bootstrap_intervals,
    class_counts,
    confusion_matrix,
    describe_intervals,
    expected_calibration_error,
    f1,
    fewest_holders,
    macro_f1,
    majority_guess,
    mean_error_distance,
    precision,
    recall,
    speaker_confusions,
    temper,
    uar,
)
from ser_pipeline.records import PARTS, named_among, names_nobody
from ser_pipeline.runs.predictions import probabilities_of
from ser_pipeline.runs.ratings import Estimate, GroupKind
from ser_pipeline.runs.types import Certainty, ClassScore, GroupScores, PartScores, RunScores, Scores

Priors = Mapping[int | None, Mapping[str, tuple[int, ...]]]
"""Fold -> corpus -> training clips of each class; fold None where there are none."""

Certainties = Mapping[int | None, Certainty]
"""Fold -> what its model learned from its validation clips; fold None where there are none."""

GROUPS: Final[Mapping[GroupKind, str]] = {
    "corpus": "corpus",
    "language": "language",
    "gender": "gender",
    "intensity": "intensity",
    "modality": "modality",
    "speaker": "speaker_id",
}
"""Kind of group -> column of the manifest."""


@dataclass(frozen=True)
class Decisions:
    """Predictions of one part, with what the manifest says of the clips.

    Attributes:
        target: class numbers, shape ``(clips,)``.
        predicted: class numbers, shape ``(clips,)``.
        probabilities: as stated, shape ``(clips, classes)``.
        temperature: of the model that decided each clip, NaN where it has none, shape ``(clips,)``.
        threshold: confidence below which that model should abstain, likewise.
        guess: what the corpora's priors would have said, shape ``(clips,)``.
        facts: columns of the manifest by kind of group, shape ``(clips,)`` each.
        emotions: class names.
    """

    target: Int64s
    predicted: Int64s
    probabilities: Float64s
    temperature: Float64s
    threshold: Float64s
    guess: Int64s
    facts: Mapping[GroupKind, Strings]
    emotions: tuple[str, ...]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.emotions)

    def confusion(self, rows: Bools | slice = slice(None)) -> Int64s:
        """Counts over some of the clips, shape ``(classes, classes)``."""
        return confusion_matrix(self.target[rows], self.predicted[rows], self.classes)


def training_priors(predictions: pa.Table, manifest: pa.Table, classes: int) -> dict[str, tuple[int, ...]]:
    """Training clips of each class by corpus, from the predictions of part ``train``."""
    train = predictions.filter(pc.equal(predictions["part"], "train"))
    corpora = _facts(train, manifest, ["corpus"])["corpus"]
    return class_counts(corpora, train["target"].to_numpy(), classes)


def score_predictions(
    predictions: pa.Table,
    manifest: pa.Table,
    emotions: Sequence[str],
    priors: Priors,
    certainties: Certainties | None = None,
    *,
    seed: int = 0,
) -> RunScores:
    """Score every part that has clips.

    Args:
        predictions: columns of :func:`ser_pipeline.runs.predictions.prediction_schema`.
        manifest: its table; has at least the columns of :data:`GROUPS` and ``utterance_id``.
        emotions: class names.
        priors: training clips by fold, corpus and class, for the guess without listening.
        certainties: temperature and threshold by fold, of models that have them.
        seed: of the bootstrap.

    Raises:
        RunError: a prediction of a recording that the manifest does not have.
    """
    parts, known = {}, certainties or {}
    for part in PARTS:
        rows = predictions.filter(pc.equal(predictions["part"], part))
        if rows.num_rows:
            parts[part] = score_part(_decisions(rows, manifest, tuple(emotions), priors, known), seed=seed)
    return RunScores(parts=parts, certainty=next(iter(known.values())) if len(known) == 1 else None)


def score_part(decisions: Decisions, *, seed: int = 0) -> PartScores:
    """Score one part: pooled over its clips, averaged over corpora, and by group."""
    groups = tuple(group for kind in GROUPS for group in _by_group(decisions, kind))
    corpora = [group for group in groups if group.by == "corpus"]
    macro = {
        name: float(np.mean([getattr(group, name) for group in corpora]))
        for name in ("accuracy", "uar", "macro_f1")
    }
    return PartScores(pooled=_pooled(decisions, seed), macro_corpora=macro, groups=groups)


def _pooled(decisions: Decisions, seed: int) -> Scores:
    confusion = decisions.confusion()
    by_speaker, speakers = speaker_confusions(
        decisions.target, decisions.predicted, decisions.facts["speaker"], decisions.classes
    )
    intervals = bootstrap_intervals(by_speaker, speakers, seed=seed)
    guessed = confusion_matrix(decisions.target, decisions.guess, decisions.classes)

    def estimate(name: str, value: Float64s) -> Estimate:
        low, high = intervals.get(name, (None, None))
        return Estimate(value=float(value), low=low, high=high)

    return Scores(
        clips=int(confusion.sum()),
        speakers=len(named_among(speakers)),
        accuracy=estimate("accuracy", accuracy(confusion)),
        uar=estimate("uar", uar(confusion)),
        macro_f1=estimate("macro_f1", macro_f1(confusion)),
        ece=expected_calibration_error(decisions.probabilities, decisions.target),
        **_certainty(decisions),
        error_distance=_error_distance(confusion, decisions.emotions),
        classes=_by_class(confusion, decisions.emotions),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        confound_accuracy=float(accuracy(guessed)),
        confound_uar=float(uar(guessed)),
        interval=describe_intervals(
            speakers,
            seed,
            unnamed=sum(map(names_nobody, decisions.facts["speaker"].tolist())),
            fewest=fewest_holders(by_speaker, speakers, decisions.emotions),
        ),
    )


def _certainty(decisions: Decisions) -> dict[str, float | None]:
    """Calibration error before the temperature, and what answering only when sure is worth."""
    found: dict[str, float | None] = {}
    if not np.isnan(decisions.temperature).any():
        before = temper(decisions.probabilities, 1 / decisions.temperature[:, None])
        found["ece_before"] = expected_calibration_error(before, decisions.target)
    if not np.isnan(decisions.threshold).any():
        answered = decisions.probabilities.max(1) >= decisions.threshold
        hits = (decisions.predicted == decisions.target)[answered]
        found["answered"] = float(answered.mean())
        found["answered_accuracy"] = float(hits.mean()) if len(hits) else None
    return found


def _by_class(confusion: Int64s, emotions: Sequence[str]) -> tuple[ClassScore, ...]:
    columns = zip(
        emotions, precision(confusion), recall(confusion), f1(confusion), confusion.sum(1), strict=True
    )
    return tuple(
        ClassScore(emotion=name, precision=float(p), recall=float(r), f1=float(f), clips=int(clips))
        for name, p, r, f, clips in columns
    )


def _error_distance(confusion: Int64s, emotions: Sequence[str]) -> float | None:
    try:
        distances = distance_matrix(emotions)
    except LabelError:
        return None  # the published matrices do not hold every emotion of the task
    return mean_error_distance(confusion, distances)


def _by_group(decisions: Decisions, kind: GroupKind) -> list[GroupScores]:
    names, place = np.unique(decisions.facts[kind], return_inverse=True)
    cell = (place * decisions.classes + decisions.target) * decisions.classes + decisions.predicted
    shape = (len(names), decisions.classes, decisions.classes)
    confusions = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    named = np.array([not names_nobody(name) for name in decisions.facts["speaker"].tolist()], np.bool_)
    pairs = np.stack([place.astype(str), decisions.facts["speaker"]])[:, named]
    people = np.unique(pairs, axis=1)[0].astype(np.int64)
    columns = zip(
        names.tolist(),
        confusions.sum((1, 2)).tolist(),
        np.bincount(people, minlength=len(names)).tolist(),
        accuracy(confusions).tolist(),
        uar(confusions).tolist(),
        macro_f1(confusions).tolist(),
        confusions.any(2).sum(1).tolist(),
        strict=True,
    )
    fields = ("name", "clips", "speakers", "accuracy", "uar", "macro_f1", "emotions")
    return [GroupScores(by=kind, **dict(zip(fields, row, strict=True))) for row in columns]


def _decisions(
    rows: pa.Table,
    manifest: pa.Table,
    emotions: tuple[str, ...],
    priors: Priors,
    certainties: Certainties,
) -> Decisions:
    columns = _facts(rows, manifest, [*GROUPS.values()])
    facts = {kind: columns[column] for kind, column in GROUPS.items()}
    guess = np.zeros(rows.num_rows, np.int64)
    temperature, threshold = np.full((2, rows.num_rows), np.nan)
    folds = np.array([-1 if fold is None else fold for fold in rows["fold"].to_pylist()])
    for fold, counts in priors.items():
        here = folds == (-1 if fold is None else fold)
        guess[here] = majority_guess(facts["corpus"][here], counts, len(emotions))
        if certainty := certainties.get(fold):
            temperature[here] = certainty.temperature
            threshold[here] = np.nan if certainty.abstain_below is None else certainty.abstain_below
    return Decisions(
        target=rows["target"].to_numpy().astype(np.int64),
        predicted=rows["predicted"].to_numpy().astype(np.int64),
        probabilities=probabilities_of(rows, emotions),
        temperature=temperature,
        threshold=threshold,
        guess=guess,
        facts=facts,
        emotions=emotions,
    )


def manifest_rows(clips: pa.ChunkedArray | pa.Array, manifest: pa.Table) -> pa.Table:
    """Rows of the manifest for some clips, in their order.

    Args:
        clips: their utterance ids.
        manifest: the columns that are wanted, and ``utterance_id``.

    Raises:
        RunError: the manifest lacks one.
    """
    places = pc.index_in(clips, manifest["utterance_id"].combine_chunks())
    if places.null_count:
        missing = clips.filter(pc.is_null(places))[0].as_py()
        raise RunError(
            f"the manifest has no recording {missing}, which was predicted; it is not the run's own"
        )
    return manifest.take(places)


def _facts(clips: pa.Table, manifest: pa.Table, columns: list[str]) -> dict[str, Strings]:
    """Columns of the manifest for some clips, in their order."""
    picked = manifest_rows(clips["utterance_id"], manifest.select(["utterance_id", *columns]))
    return {name: texts_of(picked[name]) for name in columns}
