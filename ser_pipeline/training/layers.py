"""Which layers of an encoder a run learns from, where that is left to its validation clips."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ser_pipeline.datasets.batch import VectorClips
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import TrainingError
from ser_pipeline.metrics import confusion_matrix, uar
from ser_pipeline.models.estimators import make_estimator
from ser_pipeline.models.fitted import EstimatorNetwork
from ser_pipeline.options import EmbeddingOptions, parts_of
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.learned import LayerChoice, LayerTrial
from ser_pipeline.runs.types import SETTINGS

PROBE_C: Final = 0.01
"""Inverse penalty of the logistic regression that compares layers."""

NEIGHBOURS: Final = 3
"""Layers that are tried side by side, beside each alone."""


def candidates(layers: Sequence[int]) -> list[tuple[int, ...]]:
    """What is tried: each layer alone, and each three neighbours side by side.

    Examples:
        >>> candidates((0, 1, 2, 3))
        [(0,), (1,), (2,), (3,), (0, 1, 2), (1, 2, 3)]
    """
    alone = [(layer,) for layer in layers]
    together = [tuple(layers[first : first + NEIGHBOURS]) for first in range(len(layers) - NEIGHBOURS + 1)]
    return [*alone, *together]


def settled(data: RunData, folder: Path) -> RunData:
    """The clips of a run, seen through the layers that it learns from.

    Of several encoders, the layers of one after another are chosen, beside all else that is learned from.

    Args:
        data: as read; returned as it is where there is nothing to choose.
        folder: of the run: one that was begun keeps the layers it began with.

    Raises:
        TrainingError: no validation clips to choose by.
    """
    begun = read_info(folder).layer_choice if (folder / SETTINGS).is_file() else ()
    known = {choice.encoder: choice for choice in begun}
    encoders = [part for part in data.recipe.parts if isinstance(part, EmbeddingOptions)]
    for number, encoder in enumerate(encoders):
        if number in known:
            choice = known[number]
        elif data.recipe.encoder_layers[number] != "best":
            continue
        elif len(every := candidates(encoder.layers)) == 1:
            data = data.with_layers(every[0], encoder=number)
            continue
        else:
            choice = _chosen(data, number, every)
        data = data.with_layers(choice.layers, (*data.choice, choice), encoder=number)
    return data


def _chosen(data: RunData, number: int, every: Sequence[tuple[int, ...]]) -> LayerChoice:
    """The best of some choices of layers of one encoder."""
    if not len(data.rows("validation")):
        raise TrainingError(
            "there are no validation clips to choose layers by; name some, as in --layers 3, or --layers all"
        )
    tried = tuple(
        LayerTrial(layers=layers, uar=_probed(data.with_layers(layers, encoder=number))) for layers in every
    )
    best = max(tried, key=lambda trial: trial.uar)
    how = f"UAR on validation clips of logistic regression with c = {PROBE_C:g}"
    return LayerChoice(layers=best.layers, how=how, tried=tried, encoder=number)


def as_trained(data: RunData, card: ModelCard) -> RunData:
    """The clips of a run, seen through the layers that its model was trained on."""
    trained = [part for part in parts_of(card.inputs) if isinstance(part, EmbeddingOptions)]
    for number, part in enumerate(trained):
        if part.layers != data.recipe.encoders[number].layers:
            data = data.with_layers(part.layers, encoder=number)
    return data


def _probed(data: RunData) -> float:
    """Validation UAR of a quick classifier that was fitted to the training clips."""
    learned = data.learned()
    train, validation = (
        data.scaled(data.vectors(rows), rows, learned) for rows in map(data.rows, ("train", "validation"))
    )
    if not isinstance(train, VectorClips) or not isinstance(validation, VectorClips):
        raise TypeError("layers are vectors")
    probe = make_estimator("logreg", PROBE_C, balanced=True, seed=data.recipe.train.seed)
    probe.fit(train.values.numpy(), train.targets.numpy())
    network = EstimatorNetwork.of("logreg", probe, len(data.task.emotions))
    with torch.inference_mode():
        decided = network(validation.values).argmax(1).numpy()
    confusion = confusion_matrix(validation.targets.numpy(), np.asarray(decided), network.classes)
    return round(float(uar(confusion)), 6)
