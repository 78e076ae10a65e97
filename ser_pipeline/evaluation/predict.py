"""Run a network over clips, always in fp32, and learn how sure it may say it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from ser_pipeline.arrays import Float32s, Floats, Int64s
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.datasets.examples import Examples
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.metrics import fit_temperature, risk_coverage, temper, threshold_for_risk
from ser_pipeline.models.network import EmbeddingNetwork, Network
from ser_pipeline.records import PARTS
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.predictions import prediction_schema, read_ratings
from ser_pipeline.runs.tested import FEWEST_ANSWERED, FEWEST_CLIPS
from ser_pipeline.runs.types import Certainty
from ser_pipeline.training.apply import apply_network

ERRORS_LEFT: Final = 0.5
"""The threshold is set where this share of the error rate is left among the clips answered."""


def rate_clips(
    network: Network, clips: Clips, *, dimensions: Sequence[str] = DIMENSIONS, device: str = "cpu"
) -> Float32s:
    """Ratings of clips.

    Args:
        network: says them; it is moved to the device and put into evaluation mode.
        clips: what to rate.
        dimensions: that it rates.
        device: ``cpu``, ``cuda`` or ``mps``.

    Returns:
        Shape ``(clips, dimensions)``, in [-1, 1].

    Raises:
        TypeError: the network does not say them.
    """
    return apply_network(network, clips, network.rate, width=len(dimensions), device=device)


def predict_clips(network: Network, clips: Clips, *, device: str = "cpu") -> Float32s:
    """Probabilities of clips.

    Args:
        network: it is moved to the device and put into evaluation mode.
        clips: what to score.
        device: ``cpu``, ``cuda`` or ``mps``.

    Returns:
        Shape ``(clips, classes)``, in the order of the clips; rows sum to 1.
    """

    def stated(*given: Any) -> torch.Tensor:
        logits: torch.Tensor = network(*given)
        return logits.float().softmax(1)

    return apply_network(network, clips, stated, width=network.classes, device=device)


def pool_clips(network: EmbeddingNetwork, clips: Clips, *, device: str = "cpu") -> Float32s:
    """What a network makes of mels or frames before vectors beside them join it.

    Args:
        network: it is moved to the device and put into evaluation mode.
        clips: sequences alone.
        device: ``cpu``, ``cuda`` or ``mps``.

    Returns:
        Shape ``(clips, d)``, in the order of the clips.
    """

    def pool(inputs: torch.Tensor, lengths: torch.Tensor, _: torch.Tensor | None) -> torch.Tensor:
        return network.summarise(inputs, lengths)[0]

    return apply_network(network, clips, pool, device=device)


def certainty_of(card: ModelCard) -> Certainty | None:
    """What a model's card says; None where nothing was fitted."""
    if card.temperature is None:
        return None
    return Certainty(temperature=card.temperature, abstain_below=card.abstain_below)


def learn_certainty(probabilities: Floats, targets: Int64s) -> Certainty | None:
    """Fit the temperature, and find from which confidence on a model errs half as often.

    Args:
        probabilities: of validation clips as the network gives them, shape ``(clips, classes)``.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        Temperature, and threshold at that temperature if enough clips stand behind it; None without clips.
    """
    if len(targets) == 0:
        return None
    temperature = fit_temperature(probabilities, targets)
    stated = state(probabilities, Certainty(temperature=temperature))
    wanted = ERRORS_LEFT * risk_coverage(stated, targets).risk[-1]
    found = threshold_for_risk(stated, targets, float(wanted)) if len(targets) >= FEWEST_CLIPS else None
    if found is None or round(found[1] * len(targets)) < FEWEST_ANSWERED:
        return Certainty(temperature=temperature)
    return Certainty(temperature=temperature, abstain_below=found[0])


def state(probabilities: Floats, certainty: Certainty | None) -> Float32s:
    """Probabilities as the model states them, shape kept; as they are where nothing was fitted.

    Args:
        probabilities: shape ``(clips, classes)``, rows sum to 1.
        certainty: of the model.
    """
    if certainty is None:
        return probabilities.astype(np.float32)
    return temper(probabilities, certainty.temperature).astype(np.float32)


def prediction_table(
    examples: Examples, probabilities: Float32s, emotions: Sequence[str], fold: int | None
) -> pa.Table:
    """Put predictions into their table.

    Args:
        examples: the clips.
        probabilities: shape ``(clips, classes)``.
        emotions: class names.
        fold: that tests the clips of part ``test``; None without folds.
    """
    columns = [
        examples.table["utterance_id"],
        pa.array(np.array(PARTS)[examples.part]),
        pa.array([fold] * len(examples), pa.int16()),
        pa.array(examples.target.astype(np.int8)),
        pa.array(probabilities.argmax(1).astype(np.int8)),
        *(pa.array(np.ascontiguousarray(column)) for column in probabilities.T),
    ]
    schema = prediction_schema(emotions)
    return pa.Table.from_arrays([*columns], schema=schema)


def dimension_table(
    examples: Examples, rated: Float32s, fold: int | None, dimensions: Sequence[str] = DIMENSIONS
) -> pa.Table:
    """Put a network's ratings into their table, with the raters' own beside them.

    Args:
        examples: the clips.
        rated: by the network, shape ``(clips, dimensions)``.
        fold: that tests the clips of part ``test``; None without folds.
        dimensions: that are rated.
    """
    known = examples.ratings(dimensions)
    columns: dict[str, Any] = {
        "utterance_id": examples.table["utterance_id"],
        "part": pa.array(np.array(PARTS)[examples.part]),
        "fold": pa.array([fold] * len(examples), pa.int16()),
    }
    for place, name in enumerate(dimensions):
        columns[name] = pa.array(np.ascontiguousarray(rated[:, place]))
        columns[f"rated_{name}"] = pa.array(np.ascontiguousarray(known[:, place]), from_pandas=True)
    return pa.table(columns)


def tested_dimensions(folders: Sequence[Path]) -> pa.Table:
    """Ratings of the test clips of several folds, one after another.

    Raises:
        RunError: those of a fold are missing or damaged.
    """
    tables = [read_ratings(folder) for folder in folders]
    return pa.concat_tables(table.filter(pc.equal(table["part"], "test")) for table in tables)
