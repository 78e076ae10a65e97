"""One run: fit a network to the clips of a split and keep its best epoch.

Lightning takes seconds to load, so only a network that is trained does.
"""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ser_pipeline.datasets.normalise import Learned
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.datasets.sampling import EpochBatches
from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.losses import build_loss
from ser_pipeline.models.build import build_model, parameter_count
from ser_pipeline.models.network import Network
from ser_pipeline.options import LOSSES, Recipe, TrainOptions, input_versions
from ser_pipeline.processes import chosen_device
from ser_pipeline.runs.card import ModelCard, read_card
from ser_pipeline.runs.curves import LAST, Listener, Row, best_row, monitored, out_of_patience, write_metrics
from ser_pipeline.runs.files import write_info
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.runs.predictions import forget_scores
from ser_pipeline.runs.types import RunInfo
from ser_pipeline.tables.cells import plural
from ser_pipeline.training.classifiers import check_ratings, is_done, train_classifier
from ser_pipeline.training.device import check_devices
from ser_pipeline.training.info import describe, layer_parameters
from ser_pipeline.training.layers import settled

if TYPE_CHECKING:
    from ser_pipeline.training.module import TrainedNetwork

_UNREADABLE = (pickle.UnpicklingError, RuntimeError, OSError, ValueError, KeyError, TypeError, EOFError)
"""What torch raises for a file that is cut, foreign, or holds more than plain data."""


def train_run(data: RunData, folder: Path, listener: Listener, *, command: str) -> RunInfo:
    """Train, or go on training, in a run folder.

    A folder that has ``last.ckpt`` is continued from the end of its last epoch, with the same
    result as if it had never stopped. Settings, weights and state are written after every epoch;
    whatever ends the process leaves whole files.

    Args:
        data: clips and recipe.
        folder: of the run; made where it is missing.
        listener: is told of steps and epochs.
        command: as typed, for the record.

    Returns:
        What was written to ``settings.json``.

    Raises:
        TrainingError: the device is not available, or training cannot start from these clips.
        RunError: ``last.ckpt`` is damaged, or the run began with other recordings or settings.
        LabelError: the loss needs a distance matrix and the task has none.
        KeyboardInterrupt: Ctrl-C; the run can be continued.
    """
    options = data.recipe.train
    check_classes(data)
    data = settled(data, folder)
    if not data.recipe.model.architecture.by_epochs:
        if not is_done(folder):
            forget_scores(folder)
        return train_classifier(data, folder, listener, model_card(data, data.learned()), command=command)
    device = chosen_device(options.device)
    check_devices(options, device)
    from ser_pipeline.training.recorder import Recorder, RunBatches, fit

    module = _module(data)
    info = describe(
        data,
        folder,
        command=command,
        parameters=parameter_count(module.network),
        layers=layer_parameters(module.network),
    )
    history = _history(folder / LAST)
    write_info(folder, info)
    if _goes_on(history, options):
        learned = read_card(folder).learned if history else data.learned()
        recorder = Recorder(
            folder, model_card(data, learned), options, clips=len(data.learned_examples()), listener=listener
        )
        batches = RunBatches(
            data.training_clips(learned),
            data.validation_clips(learned),
            options,
            chances=data.chances(),
            first_epoch=len(history),
        )
        forget_scores(folder)
        fit(module, batches, recorder, device, folder / LAST if history else None)
    return _finish(folder, info, options)


def unfinished(folder: Path, recipe: Recipe) -> bool:
    """Whether :func:`train_run` would fit anything in a folder.

    Raises:
        RunError: ``last.ckpt`` is damaged.
    """
    if not recipe.model.architecture.by_epochs:
        return not is_done(folder)
    return _goes_on(_history(folder / LAST), recipe.train)


def epochs_done(folder: Path) -> int:
    """How many epochs a run has behind it, of folds the one with most; 0 for a classifier.

    Raises:
        RunError: ``last.ckpt`` is damaged.
    """
    return max(len(_history(place / LAST)) for place in (folder, *fold_folders(folder).values()))


def check_classes(data: RunData) -> None:
    """Make sure that there is something to tell apart, or to rate.

    Raises:
        TrainingError: the training clips are all of one class; of ratings, as :func:`check_ratings`.
    """
    if data.task.dimensions:
        check_ratings(data)
    elif np.count_nonzero(data.class_counts()["train"]) < 2:
        raise TrainingError(
            f"task '{data.task.name}': the training clips are all of one class; choose other corpora or task"
        )


def balanced_weights(counts: torch.Tensor) -> torch.Tensor:
    """Weights by inverse training frequency; their mean over training clips is 1.

    Args:
        counts: training clips of each class, or how many an epoch draws on average, shape
            ``(classes,)``; a class without gets 0.

    Examples:
        >>> balanced_weights(torch.tensor([30, 10]))
        tensor([0.6667, 2.0000])
    """
    present = counts > 0
    weights = counts.sum() / (present.sum() * counts.clamp(min=1).float())
    return torch.where(present, weights, torch.zeros_like(weights))


def fresh_network(data: RunData) -> Network:
    """The network of a run before it is fitted."""
    outputs = len(data.task.emotions or data.task.dimensions)
    rates = bool(data.task.dimensions)
    return build_model(data.recipe.model, data.n_inputs, outputs, n_beside=data.n_beside, rates=rates)


def _module(data: RunData) -> "TrainedNetwork":
    """Network with fresh weights and objective; the weights depend on the seed alone."""
    from ser_pipeline.training.module import TrainedNetwork

    options, emotions = data.recipe.train, data.task.emotions
    clips, counts = len(data.learned_examples()), torch.from_numpy(data.drawn_counts())
    torch.manual_seed(options.seed)
    network = fresh_network(data)
    loss = None if data.task.dimensions else build_loss(
        options.loss,
        emotions,
        class_weights=balanced_weights(counts) if options.class_weights else None,
        label_smoothing=options.label_smoothing,
        **{name: getattr(options, name) for name in LOSSES[options.loss].options},
    )  # fmt: skip
    batches = EpochBatches(clips, options.batch_size, seed=options.seed, world=options.devices)
    taught = None if data.taught is None else data.taught.embeddings
    return TrainedNetwork(
        network,
        loss,
        options,
        data.recipe.front_end,
        steps_per_epoch=max(1, len(batches)),
        taught_width=0 if taught is None else taught.shape[1],
    )


def model_card(data: RunData, learned: Learned) -> ModelCard:
    """What ``model.json`` will say, but for the epoch."""
    return ModelCard(
        model=data.recipe.model,
        emotions=data.task.emotions,
        target=data.task.dimensions,
        merges=dict(data.task.merges),
        inputs=data.recipe.inputs,
        learned=learned,
        store_fingerprint=data.store.fingerprint,
        synthetic=data.synthetic,
        epoch=0,
        inputs_version=input_versions(data.recipe.inputs),
    )


def _goes_on(history: list[Row], options: TrainOptions) -> bool:
    return len(history) < options.epochs and not out_of_patience(history, options)


def _history(checkpoint: Path) -> list[Row]:
    """Epochs that a checkpoint has behind it; none without a checkpoint."""
    if not checkpoint.is_file():
        return []
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return list(state["callbacks"]["Recorder"]["history"])
    except _UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{checkpoint}: cannot be continued from: {reason}; train a new run") from None


def _finish(folder: Path, info: RunInfo, options: TrainOptions) -> RunInfo:
    """Write down which epoch counts and why training ended, as the last checkpoint tells."""
    history = _history(folder / LAST)
    write_metrics(folder, history)
    best, key = best_row(history, options), monitored(history, options)
    seconds = sum(float(row[f"{part}_seconds"] or 0) for row in history for part in ("train", "validation"))
    done = f"all {len(history)} epochs are done" if len(history) > 1 else "its one epoch is done"
    if best[key] is None:
        stopped = f"{done}; no validation clips, the last epoch counts"
    elif out_of_patience(history, options):
        score = {"uar": "UAR", "ccc": "CCC"}.get(key.removeprefix("validation_"), options.monitor)
        stopped = f"no better validation {score} for {plural(options.patience or 0, 'epoch')}"
    else:
        stopped = done
    update = {"best_epoch": best["epoch"], "stopped": stopped, "seconds": round(seconds, 1)}
    complete = info.model_copy(update=update)
    write_info(folder, complete)
    return complete
