"""Score a run: apply its network to every part, and write its result files again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from shlex import quote
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from ser_pipeline.arrays import Float32s
from ser_pipeline.datasets.batch import Clips
from ser_pipeline.datasets.prepare import Inputs, read_inputs
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.encoders import encoder_folders, found_again
from ser_pipeline.errors import AbsentError, EncoderError, RunError
from ser_pipeline.evaluation.internals import write_internals
from ser_pipeline.evaluation.listeners import (
    decision_scores,
    keep_dimensions,
    keep_rated,
    model_scores,
    task_of,
)
from ser_pipeline.evaluation.predict import (
    certainty_of,
    dimension_table,
    learn_certainty,
    predict_clips,
    prediction_table,
    rate_clips,
    state,
    tested_dimensions,
)
from ser_pipeline.evaluation.score import training_priors
from ser_pipeline.front_end import row_of_wave
from ser_pipeline.models.network import Network, one_clip
from ser_pipeline.options import ENSEMBLE, ModelInputs
from ser_pipeline.processes import chosen_device
from ser_pipeline.runs.card import ModelCard, member_folder, read_card, write_card
from ser_pipeline.runs.files import finished_info, read_info, write_result, write_scores
from ser_pipeline.runs.names import fold_folder, fold_folders
from ser_pipeline.runs.predictions import write_predictions
from ser_pipeline.runs.types import ALL_FOLDS, LATENCY, Certainty, Latency, RunInfo, RunScores
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.folds import tested_folds
from ser_pipeline.training.info import check_same
from ser_pipeline.training.layers import as_trained

CLIP_S: Final = 3.0
REPEATS: Final = 7


def decision_ms(folder: Path) -> tuple[float, float]:
    """Time a run's network on a made clip of three seconds, warm, one clip at a time.

    Args:
        folder: of a run; has its network.

    Returns:
        Milliseconds of wall time from samples to input, and from input to probabilities or ratings: the
        smallest of several, since whatever else the machine does only adds to it. Of an ensemble, sums over
        its members.

    Raises:
        RunError: the network is missing or damaged.
    """
    if members := read_card(folder).members:
        times = [decision_ms(member_folder(folder, member)) for member in members]
        return round(sum(front for front, _ in times), 3), round(sum(own for _, own in times), 3)
    network, card = load_model(folder)
    options = found_again(card.inputs, encoder_folders())
    row = row_of_wave(_voice(options.sample_rate), options)
    values, beside = row.values.astype(np.float32), None
    if card.learned.scaling is not None and row.beside is None:
        values = card.learned.scaling.apply(values.reshape(1, -1))[0]
    elif card.learned.scaling is not None and row.beside is not None:
        beside = torch.from_numpy(card.learned.scaling.apply(row.beside[None]))
    given = (*one_clip(values, row.frames, card.model), beside)

    def decide() -> None:
        with torch.inference_mode():
            network.rate(*given) if card.target else network(*given).softmax(1)

    return _front_end_ms(options), _least_ms(decide)


def keep_latency(folder: Path) -> Latency | None:
    """Measure :func:`decision_ms` of a run and write it to ``latency.json``.

    Returns:
        What was measured; None where the encoder it learned from is not on this machine.

    Raises:
        RunError: the network is missing or damaged.
    """
    try:
        front_end_ms, network_ms = decision_ms(folder)
    except EncoderError:
        return None
    found = Latency(front_end_ms=front_end_ms, network_ms=network_ms, threads=torch.get_num_threads())
    write_result(folder / LATENCY, found)
    return found


@lru_cache(maxsize=32)
def _front_end_ms(options: ModelInputs) -> float:
    wave = _voice(options.sample_rate)
    return _least_ms(lambda: row_of_wave(wave, options))


def _least_ms(work: Callable[[], object]) -> float:
    """Smallest wall time of several calls in milliseconds, after one that warms up."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return round(1000 * min(times), 3)


@lru_cache(maxsize=8)
def _voice(sample_rate: int) -> Float32s:
    """Three seconds that every front end can work on: a voice of falling pitch, in syllables."""
    t = np.arange(round(CLIP_S * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(180 - 20 * t) / sample_rate
    tone = np.sum([np.sin(k * phase) / k for k in range(1, 21)], axis=0)
    loud = 0.02 + np.clip(np.sin(2 * np.pi * 3 * t), 0, 1)
    noise = np.random.default_rng(0).normal(0, 0.01, t.size)
    wave: Float32s = (0.1 * loud * tone + 0.1 * noise).astype(np.float32)
    return wave


def evaluate_run(folder: Path, *, manifests: Path, cache: Path, device: str = "auto") -> RunScores:
    """Predict and score a run again from its network and the store; no audio is read.

    A run of all folds is scored fold by fold, and the folds' test predictions are pooled. A model
    that has no temperature yet gets one from its validation clips.

    Args:
        folder: of the run.
        manifests: folder of the manifest and the split it was trained on.
        cache: folder of the stores.
        device: what to compute on.

    Raises:
        RunError: the run is incomplete or damaged, or belongs to other recordings or a fold is missing.
        ManifestError: the manifest is missing or of other recordings; SplitError and StoreMissing alike.
    """
    info = finished_info(folder)
    inputs = inputs_of(info, manifests=manifests, cache=cache)
    try:
        if info.split.fold == ALL_FOLDS:
            return score_folds(folder, inputs, device=device)
        data = inputs.run_data(info.split.number)
    except AbsentError as error:
        command = (
            f"ser predict {quote(str(manifests))} --model {quote(str(folder))} --out predictions.parquet"
        )
        raise RunError(
            f"{error}, and a run is scored on the manifest it was trained on; for scores on other recordings "
            f"use '{command}' (docs/evaluation.md)"
        ) from None
    check_same(info, data, folder)
    return score_run(folder, data, device=device)


def inputs_of(info: RunInfo, *, manifests: Path, cache: Path, scoring: bool = True) -> Inputs:
    """Manifest, split and store of a run that was trained before, with its own classes.

    The recipe names its fold, as one that is asked for: a run keeps the number, which may be another's name.

    Args:
        info: of the run.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        scoring: the run is not trained further, so no store of variants is opened.

    Raises:
        RunError: it is an ensemble, which reads no store itself.
    """
    if info.model == ENSEMBLE:
        raise RunError(f"{info.name}: an ensemble reads no store itself; name one of its members")
    inputs = read_inputs(info.recipe, manifests=manifests, cache=cache, task=task_of(info), scoring=scoring)
    number = None if info.split.fold == ALL_FOLDS else info.split.number
    if number is None or number >= len(inputs.split.folds):
        return inputs
    name = inputs.split.folds[number]
    return replace(inputs, recipe=inputs.recipe.model_copy(update={"fold": name}))


def score_run(folder: Path, data: RunData, *, device: str = "auto") -> RunScores:
    """Predict and score every part of one run; writes ``predictions.parquet`` and ``scores.json``.

    Of a run whose targets are ratings, ``dimensions.parquet`` holds what was predicted.

    Fits the temperature of a model that has none and saves it with the model.

    Args:
        folder: of the run; has its network.
        data: the clips it was trained on and kept from.
        device: what to compute on.

    Raises:
        RunError: the network is missing or damaged, or distinguishes other emotions.
    """
    return (_rated if data.task.dimensions else _told)(folder, data, device)[1]


def score_folds(folder: Path, inputs: Inputs, *, device: str = "auto") -> RunScores:
    """Score every fold, and pool the folds' test predictions in the parent's result files.

    Raises:
        RunError: a fold has not been trained; and as :func:`score_run`.
    """
    numbers = tested_folds(inputs)
    trained = fold_folders(folder)
    missing = [number for number in numbers if number not in trained]
    if missing:
        raise RunError(
            f"{folder}: fold {missing[0]} is not trained ({len(missing)} in all); "
            f"continue with 'ser train --resume {folder}'"
        )
    tested: list[pa.Table] = []
    priors: dict[int | None, dict[str, tuple[int, ...]]] = {}
    certainties: dict[int | None, Certainty] = {}
    for number in numbers:
        place, data = fold_folder(folder, number), inputs.run_data(number)
        check_same(read_info(place), data, place)
        predictions, scores = (_rated if data.task.dimensions else _told)(place, data, device)
        tested.append(predictions.filter(pc.equal(predictions["part"], "test")))
        if data.task.dimensions:
            continue
        priors[number] = training_priors(predictions, data.examples.table, len(data.task.emotions))
        if scores.certainty is not None:
            certainties[number] = scores.certainty
    pooled = pa.concat_tables(tested)
    if inputs.task.dimensions:
        return keep_rated(folder, pooled, inputs.manifest.table)
    scores = decision_scores(pooled, inputs.manifest.table, data.task, priors, certainties)
    scores = scores.model_copy(update={"certainty": None})  # each fold has its own
    if inputs.recipe.model.dimensions:
        rated = tested_dimensions([fold_folder(folder, number) for number in numbers])
        scores = keep_dimensions(folder, rated, scores, inputs.manifest.table)
    write_predictions(folder, pooled)
    write_scores(folder, scores)
    return scores


@dataclass(frozen=True)
class Decided:
    """What a run's model says of every clip.

    Attributes:
        table: its predictions, with probabilities as the model states them.
        certainty: of the model; None where nothing is known.
        network: it decided.
        clips: what it decided on, in the order of the table.
    """

    table: pa.Table
    certainty: Certainty | None
    network: Network
    clips: Clips


def decided(folder: Path, data: RunData, device: str) -> Decided:
    """Predict every clip of a run again, and fit the temperature of a model that has none.

    Args:
        folder: of the run; has its network.
        data: the clips it was trained on and kept from.
        device: what to compute on.

    Raises:
        RunError: the network is missing or damaged, or distinguishes other emotions.
    """
    network, card, data, clips = _loaded(folder, data)
    probabilities = predict_clips(network, clips, device=chosen_device(device))
    _check_finite(probabilities, "probabilities", folder)
    stated, certainty = _stated(folder, card, data, probabilities)
    table = prediction_table(data.examples, stated, card.emotions, data.split.number)
    return Decided(table, certainty, network, clips)


def _loaded(folder: Path, data: RunData) -> tuple[Network, ModelCard, RunData, Clips]:
    """A run's network with its card, and the clips as it takes them."""
    network, card = load_model(folder)
    data = as_trained(data, card)
    if (card.emotions, card.target) != (data.task.emotions, data.task.dimensions):
        raise RunError(
            f"{folder}: its network predicts {', '.join(card.emotions or card.target)}, but the run is about "
            f"{data.task.words}; train it again"
        )
    return network, card, data, data.clips(np.arange(len(data.examples)), card.learned, memory_limit=0)


def _check_finite(values: Float32s, what: str, folder: Path) -> None:
    if not np.isfinite(values).all():
        raise RunError(
            f"{folder}: its network gives {what} that are not numbers; train it again with a lower --lr, or "
            "check the store with 'ser cache verify'"
        )


def _rated(folder: Path, data: RunData, device: str) -> tuple[pa.Table, RunScores]:
    """Ratings of a run whose targets are ratings, and their scores; both are written."""
    network, card, data, clips = _loaded(folder, data)
    rated = rate_clips(network, clips, dimensions=card.target, device=chosen_device(device))
    _check_finite(rated, "ratings", folder)
    table = dimension_table(data.examples, rated, data.split.number, card.target)
    return table, keep_rated(folder, table, data.examples.table)


def _told(folder: Path, data: RunData, device: str) -> tuple[pa.Table, RunScores]:
    """Predictions of a run, and their scores; both are written."""
    found = decided(folder, data, device)
    predictions, network = found.table, found.network
    fold = data.split.number
    scores = model_scores(predictions, data.examples.table, data.task, fold, found.certainty)
    if network.rates:
        rated = rate_clips(network, found.clips, device=chosen_device(device))
        table = dimension_table(data.examples, rated, fold)
        scores = keep_dimensions(folder, table, scores, data.examples.table)
    if fold is None:
        write_internals(folder, network, found.clips, predictions, device=chosen_device(device))
    write_predictions(folder, predictions)
    write_scores(folder, scores)
    return predictions, scores


def _stated(
    folder: Path, card: ModelCard, data: RunData, probabilities: Float32s
) -> tuple[Float32s, Certainty | None]:
    """Probabilities at the model's temperature, which is fitted and saved where it has none."""
    certainty = certainty_of(card)
    if certainty is None:
        rows = data.rows("validation")
        certainty = learn_certainty(probabilities[rows], data.examples.target[rows])
        if certainty is None:
            return probabilities, None
        write_card(folder, card.model_copy(update=certainty.model_dump()))
    return state(probabilities, certainty), certainty
