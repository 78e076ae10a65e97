"""How long a cell will take, learned from the cells that are done."""

from collections.abc import Mapping, Sequence
from statistics import median
from types import MappingProxyType
from typing import Final

import pyarrow.compute as pc

from ser_pipeline.datasets.examples import chosen_rows
from ser_pipeline.datasets.prepare import ALL_FOLDS
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.place import CellRecord
from ser_pipeline.settings import CLASSIFIERS, MODEL_INPUTS

TYPICAL_EPOCHS: Final = 80
"""After which early stopping has usually ended a training that may go on longer."""

_FIRST_GUESS: Final[Mapping[str, float]] = MappingProxyType(
    {"crnn": 0.01, "resnet": 0.02, "mhsa": 0.01, "cnn1d": 6e-4, "dnn": 1.5e-4,
     "svm": 0.02, "logreg": 0.002, "gboost": 0.02}
)  # fmt: skip
"""Seconds per unit of work, one thread, where no cell of the model is done yet."""

BUILD_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {"mels": 0.02, "features": 0.03, "egemaps": 0.06, "compare": 0.3}
)
"""Seconds to compute a recording for a store of each kind."""


def work_of(cell: Cell, ground: Ground) -> float:
    """Recordings to learn from, times folds, times epochs; a classifier has one."""
    recipe, table = cell.recipe, ground.manifest.table
    rows = chosen_rows(table, recipe.corpora, recipe.languages)
    if recipe.train_corpora:
        rows = rows & chosen_rows(table, recipe.train_corpora, ())
    emotions = pc.less(table["emotion_id"], 4 if recipe.task == "4class" else 6)
    clips = int((rows & emotions.to_numpy(zero_copy_only=False)).sum()) * recipe.train_share
    folds = len(ground.split(recipe.split).folds) if recipe.fold == ALL_FOLDS else 1
    epochs = 1 if recipe.model.name in CLASSIFIERS else min(recipe.train.epochs, TYPICAL_EPOCHS)
    return max(1.0, float(clips * folds * epochs))


def seconds_per_work(records: Sequence[CellRecord]) -> dict[str, float]:
    """Median seconds per unit of work of each model; a first guess where nothing was measured."""
    found: dict[str, list[float]] = {}
    for record in records:
        found.setdefault(record.model, []).append(record.seconds / record.work)
    return {
        model: median(found[model]) if model in found else _FIRST_GUESS.get(model, 0.01)
        for model in MODEL_INPUTS
    }
