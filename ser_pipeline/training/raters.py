"""Regressions of ratings, alone or beside a classifier, and what there must be to learn ratings from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s
from ser_pipeline.datasets.batch import VectorClips
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import TrainingError
from ser_pipeline.metrics import ccc, mean_ccc, rating_columns, rating_scores
from ser_pipeline.models.estimators import RATER_CANDIDATES, make_rater
from ser_pipeline.runs.curves import RATING_COLUMNS, Row
from ser_pipeline.tables.cells import plural

FEWEST: Final = 2
"""Rated clips that a regression, and a choice among several, needs."""


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
        (x, y), (others, wanted) = (_known(*pair) for pair in pairs)
        yield _fitted(data, name, x, y, others, wanted)


def _known(values: Float32s, ratings: Float32s) -> tuple[Float32s, Float64s]:
    """Vectors and ratings of the rated clips."""
    there = ~np.isnan(ratings)
    return values[there], ratings[there].astype(np.float64)


def _fitted(
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
    judged = _scored(wanted, said[best]) if len(wanted) >= FEWEST else None
    return Rater(dimension, c, model, _scored(y, np.clip(model.predict(x), -1, 1)), judged, len(every))


def _scored(rated: Float64s, said: Float64s) -> dict[str, float]:
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
