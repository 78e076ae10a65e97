"""Regressions of valence, arousal and dominance beside a classifier."""

from typing import Any, Final

import numpy as np

from ser_pipeline.arrays import Float32s, Floats
from ser_pipeline.datasets.batch import VectorClips
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import TrainingError
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.metrics import ccc
from ser_pipeline.models.estimators import RATER_CANDIDATES, make_rater

FEWEST: Final = 2
"""Rated clips that a regression, and a choice among several, needs."""


def fit_raters(
    data: RunData, train: VectorClips, validation: VectorClips
) -> tuple[tuple[Any, ...], dict[str, float]]:
    """Fit a regression of each dimension to the rated training clips.

    Args:
        data: of the run.
        train: what the classifier is fitted to.
        validation: clips whose concordance chooses the penalty; without two rated ones, the middle one.

    Returns:
        The regressions in the order of :data:`~ser_pipeline.labels.DIMENSIONS`, and the inverse
        penalty, or learning rate, of each.

    Raises:
        TrainingError: fewer than two training clips are rated.
    """
    rated = data.learned_examples().ratings()
    judged = data.examples.take(data.rows("validation")).ratings()
    found = [
        _fitted(
            data, name, (train.values.numpy(), rated[:, place]), (validation.values.numpy(), judged[:, place])
        )
        for place, name in enumerate(DIMENSIONS)
    ]
    return tuple(rater for rater, _ in found), {
        name: c for name, (_, c) in zip(DIMENSIONS, found, strict=True)
    }


def _fitted(
    data: RunData, dimension: str, train: tuple[Floats, Float32s], validation: tuple[Floats, Float32s]
) -> tuple[Any, float]:
    """The regression of one dimension, and its inverse penalty."""
    name, seed = data.recipe.model.name, data.recipe.train.seed
    known, judged = (~np.isnan(ratings) for _, ratings in (train, validation))
    if int(known.sum()) < FEWEST:
        raise TrainingError(
            f"--dimensions: {int(known.sum())} training clips are rated for {dimension}, {FEWEST} are "
            "needed; choose corpora with ratings, or leave it out"
        )
    every = RATER_CANDIDATES[name]
    if int(judged.sum()) < FEWEST:
        every = (every[len(every) // 2],)
    best: tuple[float, Any, float] | None = None
    for c in every:
        rater = make_rater(name, c, seed=seed).fit(train[0][known], train[1][known].astype(np.float64))
        said = rater.predict(validation[0][judged]) if judged.any() else []
        value = ccc(validation[1][judged], said) or 0.0
        if best is None or value > best[0]:
            best = value, rater, c
    if best is None:
        raise TypeError("there is always a candidate")
    return best[1], best[2]
