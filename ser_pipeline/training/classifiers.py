"""A run of scikit-learn's classifiers or regressions: the same folder and clips, without epochs."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional as F

from ser_pipeline.arrays import Float32s, Float64s, Int64s
from ser_pipeline.datasets.batch import VectorClips
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import TrainingError
from ser_pipeline.metrics import accuracy, ccc, confusion_matrix, mean_ccc, rating_columns, rating_scores, uar
from ser_pipeline.models.build import parameter_count
from ser_pipeline.models.estimators import (
    CANDIDATES,
    RATER_CANDIDATES,
    folds_by,
    make_estimator,
    make_rater,
)
from ser_pipeline.models.fitted import EstimatorNetwork, ratings_of
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.curves import METRIC_COLUMNS, RATING_COLUMNS, EpochReport, Listener, Row, write_metrics
from ser_pipeline.runs.files import read_info, write_info
from ser_pipeline.runs.types import CARD, WEIGHTS, RunInfo
from ser_pipeline.tables.cells import plural
from ser_pipeline.training.apply import apply_network
from ser_pipeline.training.checkpoint import save_model
from ser_pipeline.training.info import describe

FEWEST: Final = 2
"""Rated clips that a regression, and a choice among several, needs."""


@dataclass(frozen=True)
class Candidate:
    """One fitted classifier and how it did.

    Attributes:
        c: inverse strength of its penalty, or its learning rate.
        network: the classifier.
        row: its scores by the names of :data:`ser_pipeline.runs.curves.METRIC_COLUMNS`.
    """

    c: float
    network: EstimatorNetwork
    row: Row


def train_classifier(
    data: RunData, folder: Path, listener: Listener, card: ModelCard, *, command: str
) -> RunInfo:
    """Fit a classifier or regressions of ratings, with penalties chosen on validation clips if not given.

    Args:
        data: clips and recipe.
        folder: of the run; made where it is missing.
        listener: is told of each candidate, or of each dimension, as of an epoch.
        card: of the model.
        command: as typed, for the record.

    Returns:
        What was written to ``settings.json``; a folder that is done is left as it is.

    Raises:
        TrainingError: the training clips are too few to fit anything.
        RunError: the folder's run began with other recordings or settings.
    """
    before = describe(data, folder, command=command, parameters=0)
    if is_done(folder):
        return read_info(folder)
    write_info(folder, before)
    train, validation = data.training_vectors(card.learned), data.clips(data.rows("validation"), card.learned)
    if not isinstance(validation, VectorClips):
        raise TypeError("a classifier learns from vectors")
    fit = _rate if data.task.dimensions else _classify
    fitted = fit(data, train, validation, listener)
    write_metrics(folder, [{**fitted.row, "epoch": 1}])
    save_model(folder, fitted.network, card.model_copy(update={"epoch": 1}))
    info = describe(data, folder, command=command, parameters=parameter_count(fitted.network))
    update = {
        "best_epoch": 1,
        "stopped": fitted.how,
        "seconds": round(fitted.seconds, 1),
        "extra": {**info.extra, **fitted.extra},
    }
    complete = info.model_copy(update=update)
    write_info(folder, complete)
    return complete


def is_done(folder: Path) -> bool:
    """Whether a folder holds a fitted classifier, and says how it came about."""
    kept = all((folder / name).is_file() for name in (CARD, WEIGHTS))
    return kept and read_info(folder).stopped is not None


@dataclass(frozen=True)
class Fitted:
    """What a run keeps of what was fitted.

    Attributes:
        network: that scores and rates.
        row: its scores, by the names of the columns of ``metrics.csv``.
        how: it came about, in words.
        seconds: that fitting took.
        extra: further facts for ``settings.json``.
    """

    network: EstimatorNetwork
    row: Row
    how: str
    seconds: float
    extra: dict[str, Any]


def _rate(data: RunData, train: VectorClips, validation: VectorClips, listener: Listener) -> Fitted:
    """Regressions of the ratings that are the target."""
    raters: list[Rater] = []
    started = time.perf_counter()
    with one_line(data.recipe.model.name):
        fits, of = fit_raters(data, train, validation), len(data.task.dimensions)
        for number in range(1, of + 1):
            listener.epoch_began(number, len(train))
            begun = time.perf_counter()
            raters.append(next(fits))
            listener.step_done(len(train))
            took = time.perf_counter() - begun
            row = rating_row(raters[-1:], seconds=took) | {"epoch": number}
            note = f"{raters[-1].dimension}, c {raters[-1].c:g}"
            rate = len(data.rows("train")) / max(took, 1e-9)
            listener.epoch_done(EpochReport(row, of, 0, rate, None, word="rating", note=note))
    seconds = time.perf_counter() - started
    tried = f"; {raters[0].tried} tried, best on validation clips" if raters[0].tried > 1 else ""
    how = ", ".join(f"{each.c:g} for {each.dimension}" for each in raters)
    network = EstimatorNetwork.rating(data.recipe.model.name, [each.model for each in raters])
    chosen = {"raters": {each.dimension: each.c for each in raters}}
    row = rating_row(raters, seconds=seconds)
    return Fitted(network, row, f"fitted with {_word(data)} = {how}{tried}", seconds, chosen)


def _classify(data: RunData, train: VectorClips, validation: VectorClips, listener: Listener) -> Fitted:
    """The best of several classifiers by validation clips, with the regressions beside it."""
    candidates: list[Candidate] = []
    for c in _choices(data, len(validation)):
        listener.epoch_began(len(candidates) + 1, len(train))
        candidates.append(_fit(data, train, validation, c, number=len(candidates) + 1))
        listener.step_done(len(train))
        listener.epoch_done(_report(candidates, data))
    best = _best(candidates, data)
    tried = [
        {"c": candidate.c, **{key: candidate.row[f"validation_{key}"] for key in ("uar", "accuracy")}}
        for candidate in candidates
    ]
    network, extra = best.network, {"c": best.c, "candidates": tried}
    if data.recipe.model.dimensions:
        with one_line(data.recipe.model.name):
            raters = [*fit_raters(data, train, validation)]
        network.ratings = ratings_of(data.recipe.model.name, [each.model for each in raters])
        extra["raters"] = {each.dimension: each.c for each in raters}
    chosen = f"; {len(tried)} tried, best on validation clips" if len(tried) > 1 else ""
    seconds = sum(float(item.row["train_seconds"] or 0) for item in candidates)
    return Fitted(network, best.row, f"fitted with {_word(data)} = {best.c:g}{chosen}", seconds, extra)


def _word(data: RunData) -> str:
    """What ``c`` is of the model."""
    return "rate" if data.recipe.model.name == "gboost" else "c"


def _choices(data: RunData, validation: int) -> tuple[float, ...]:
    """Values of ``c`` to try: the one given, or all candidates if there is something to choose by."""
    options = data.recipe.model
    if options.c is not None:
        return (options.c,)
    every = CANDIDATES[options.name]
    return every if validation else (every[len(every) // 2],)


def _fit(data: RunData, train: VectorClips, validation: VectorClips, c: float, *, number: int) -> Candidate:
    network, took = fit_classifier(data, train, c)
    fitted = time.perf_counter()
    found = [_scores(network, clips) for clips in (train, validation)]
    ended = time.perf_counter()
    values = (
        number, found[0]["loss"], found[0]["accuracy"], found[1]["loss"], found[1]["accuracy"],
        found[1]["uar"], None, round(took, 3), round(ended - fitted, 3),
    )  # fmt: skip
    return Candidate(c, network, dict(zip(METRIC_COLUMNS, values, strict=True)))


def fit_classifier(
    data: RunData, train: VectorClips, c: float, rows: Int64s | None = None
) -> tuple[EstimatorNetwork, float]:
    """Fit the classifier of a recipe, and tell how many seconds that took.

    Args:
        data: of the run.
        train: its training clips, and their variants.
        c: inverse strength of the penalty, or the learning rate.
        rows: numbers of the clips to fit it to; None for all.
    """
    name, options = data.recipe.model.name, data.recipe.train
    values, targets = train.values.numpy(), train.targets.numpy()
    splits = speaker_folds(data, targets, rows) if name == "svm" else None
    estimator = make_estimator(name, c, balanced=options.class_weights, seed=options.seed, splits=splits)
    chosen = slice(None) if rows is None else rows
    with one_line(name):
        started = time.perf_counter()
        estimator.fit(values[chosen], targets[chosen])
        took = time.perf_counter() - started
    return EstimatorNetwork.of(name, estimator, len(data.task.emotions)), took


@contextmanager
def one_line(name: str) -> Iterator[None]:
    """scikit-learn's complaints about data as errors of ours."""
    from sklearn.exceptions import ConvergenceWarning  # a second that scoring does without

    try:
        with warnings.catch_warnings():
            # a penalty so weak that the solver stops early loses on validation clips anyway
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise TrainingError(f"{name} cannot be fitted to these training clips: {reason}") from None


def speaker_folds(data: RunData, targets: Int64s, rows: Int64s | None = None) -> list[tuple[Int64s, Int64s]]:
    """Folds of the training clips, no speaker on both sides; by clip with a single speaker.

    Args:
        data: of the run.
        targets: of the clips that it learns from, and their variants, shape ``(rows,)``.
        rows: numbers of those to part; None parts all.

    Returns:
        Numbers among them of the ones to fit and of those held out, fold by fold.

    Raises:
        TrainingError: a class has a single training clip.
    """
    chosen = np.arange(len(targets)) if rows is None else rows
    clips = data.learned_rows()[chosen]
    speakers = data.examples.column("speaker_id")[clips]
    found = folds_by(targets[chosen], speakers, data.recipe.train.seed, clips)
    if not found:
        name = data.recipe.model.name
        raise TrainingError(f"{name} needs two training clips of each class to be held out in turn")
    return found


def _scores(network: EstimatorNetwork, clips: VectorClips) -> dict[str, float | None]:
    if not len(clips):
        return dict.fromkeys(("loss", "accuracy", "uar"))
    logs = torch.from_numpy(apply_network(network, clips, network))
    confusion = confusion_matrix(clips.targets.numpy(), logs.argmax(1).numpy(), network.classes)
    loss = float(F.nll_loss(logs.log_softmax(1), clips.targets))
    return {"loss": loss, "accuracy": float(accuracy(confusion)), "uar": float(uar(confusion))}


def _best(candidates: list[Candidate], data: RunData) -> Candidate:
    """The first candidate, of the strongest penalty, with the best validation score."""
    return max(candidates, key=lambda each: each.row[f"validation_{data.recipe.train.monitor}"] or 0.0)


def _report(candidates: list[Candidate], data: RunData) -> EpochReport:
    row = candidates[-1].row
    best = candidates.index(_best(candidates, data)) + 1
    rate = len(data.rows("train")) / max(float(row["train_seconds"] or 0), 1e-9)
    of = len(_choices(data, len(data.rows("validation"))))
    return EpochReport(row, of, best, rate, None, word="try", note=f"c {candidates[-1].c:g}")


@dataclass(frozen=True)
class Rater:
    """The regression of one dimension.

    Attributes:
        dimension: that it rates.
        c: its inverse penalty, or learning rate.
        model: the fitted regression.
        train: its scores on rated training clips, by the names of :func:`ser_pipeline.metrics.rating_scores`.
        validation: likewise; None without two rated validation clips.
        tried: how many values of ``c`` were tried.
    """

    dimension: str
    c: float
    model: Any
    train: dict[str, float]
    validation: dict[str, float] | None
    tried: int


def fit_raters(data: RunData, train: VectorClips, validation: VectorClips) -> Iterator[Rater]:
    """Fit a regression of each dimension that the recipe names to the rated training clips.

    Args:
        data: of the run.
        train: what a classifier would be fitted to.
        validation: clips whose concordance chooses the penalty; without two rated ones, the middle one.

    Yields:
        The regressions, in the order of the dimensions.

    Raises:
        TrainingError: fewer than two training clips are rated.
    """
    names = data.recipe.rated
    rated = data.learned_examples().ratings(names)
    judged = data.examples.take(data.rows("validation")).ratings(names)
    for place, name in enumerate(names):
        pairs = (train.values.numpy(), rated[:, place]), (validation.values.numpy(), judged[:, place])
        (x, y), (others, wanted) = (_rated_rows(*pair) for pair in pairs)
        yield _fitted_rater(data, name, x, y, others, wanted)


def _rated_rows(values: Float32s, ratings: Float32s) -> tuple[Float32s, Float64s]:
    """Vectors and ratings of the rated clips."""
    there = ~np.isnan(ratings)
    return values[there], ratings[there].astype(np.float64)


def _fitted_rater(
    data: RunData, dimension: str, x: Float32s, y: Float64s, others: Float32s, wanted: Float64s
) -> Rater:
    """The best of several regressions of rated training clips by rated validation clips."""
    options, seed = data.recipe.model, data.recipe.train.seed
    if len(y) < FEWEST:
        raise TrainingError(
            f"--dimensions: {len(y)} training clips are rated for {dimension}, {FEWEST} are needed; choose "
            "corpora with ratings, or leave it out"
        )
    every = RATER_CANDIDATES[options.name]
    if data.recipe.target and options.c is not None:
        every = (options.c,)
    elif len(wanted) < FEWEST:
        every = (every[len(every) // 2],)
    fitted = [(c, make_rater(options.name, c, seed=seed).fit(x, y)) for c in every]
    said = [np.clip(model.predict(others), -1, 1) if len(wanted) else wanted for _, model in fitted]
    best = int(np.argmax([ccc(wanted, each) or 0.0 for each in said]))
    c, model = fitted[best]
    judged = _scored_ratings(wanted, said[best]) if len(wanted) >= FEWEST else None
    return Rater(
        dimension, c, model, _scored_ratings(y, np.clip(model.predict(x), -1, 1)), judged, len(every)
    )


def _scored_ratings(rated: Float64s, said: Float64s) -> dict[str, float]:
    return {name: float(value) for name, value in rating_scores(rating_columns(rated, said).sum(0)).items()}


def rating_row(raters: list[Rater], *, seconds: float) -> Row:
    """Scores of regressions by the names of :data:`RATING_COLUMNS`, means over the dimensions.

    Args:
        raters: one or more.
        seconds: that fitting and scoring took.
    """
    row: Row = dict.fromkeys(RATING_COLUMNS) | {"epoch": len(raters), "train_seconds": round(seconds, 3)}
    judged = [each.validation for each in raters if each.validation is not None]
    for part, known in (("train", [each.train for each in raters]), ("validation", judged)):
        if known:
            row[f"{part}_ccc"] = mean_ccc([each["ccc"] for each in known])
            row[f"{part}_loss"] = float(np.mean([each["rmse"] ** 2 for each in known]))
    return row


def check_ratings(data: RunData) -> None:
    """Make sure that each dimension of a run's target can be learned, and an epoch or a penalty be chosen.

    Raises:
        TrainingError: no training clip, or too few of the validation clips that there are, is rated for a
            dimension, or all of them are rated alike.
    """
    split, names = data.split.name, data.recipe.target
    for part, purpose in (("train", "learn from"), ("validation", "choose by")):
        of_part = data.examples.of_part(part)
        if part == "validation" and not len(of_part):
            continue  # the last epoch counts then
        for name, column in zip(names, of_part.ratings(names).T, strict=True):
            known = column[~np.isnan(column)]
            if len(np.unique(known)) < FEWEST:
                few = "is rated" if len(known) == 1 else "are rated"
                alike = f"are all rated {known[0]:g}" if len(known) > 1 else few
                what = "training" if part == "train" else part
                raise TrainingError(
                    f"target {name}: {plural(len(known), f'{what} clip')} of split '{split}' {alike}, and "
                    f"{FEWEST} different ratings are the least to {purpose}; choose other corpora or another "
                    f"split, or leave {name} out"
                )
