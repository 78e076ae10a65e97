"""Every fold of a split as a run of its own, below one parent folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_pipeline.datasets.prepare import Inputs
from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.models import build_model, parameter_count
from ser_pipeline.runs.files import write_info
from ser_pipeline.runs.names import fold_folder
from ser_pipeline.runs.predictions import forget_scores
from ser_pipeline.runs.types import ALL_FOLDS, RunInfo
from ser_pipeline.training.info import describe
from ser_pipeline.training.recorder import Listener
from ser_pipeline.training.run import check_classes, train_run, unfinished


def tested_folds(inputs: Inputs) -> list[int]:
    """Numbers of the folds that test at least one of the clips chosen.

    Raises:
        TrainingError: there is no such fold, or no clip at all.
    """
    numbers = [number for number in range(len(inputs.split.folds)) if inputs.tests(number)]
    if not numbers:
        raise TrainingError(f"split '{inputs.split.name}': no fold has a test clip among those chosen")
    return numbers


def train_folds(
    inputs: Inputs,
    folder: Path,
    listener: Listener,
    *,
    command: str,
    on_note: Callable[[str], None] = lambda sentence: None,
) -> RunInfo:
    """Train every fold of a split, or go on with those that are not done.

    All folds are looked at before the first is trained, so that none fails after hours. Folds that
    test none of the clips chosen are left out.

    The parent's ``settings.json`` stands for all of them: ``fold`` is ``all``, its clips are the
    test clips of all folds, its seconds their sum.

    Args:
        inputs: manifest, split with folds, store and recipe.
        folder: of the parent run.
        listener: is told of steps and epochs.
        command: as typed, for the record.
        on_note: is told which fold begins, and how many are left out, if any.

    Raises:
        RunError: the split has no folds; and as :func:`ser_pipeline.training.run.train_run`.
        TrainingError: no fold has test clips, or a fold that has them cannot be trained.
    """
    if not inputs.split.folds:
        raise RunError(f"split '{inputs.split.name}' has no folds; leave out --fold {ALL_FOLDS}")
    numbers = tested_folds(inputs)
    _check_folds(inputs, numbers)
    parent = _parent_info(inputs, numbers[0], folder, command)
    write_info(folder, parent)
    skipped = len(inputs.split.folds) - len(numbers)
    if skipped:
        folds = len(inputs.split.folds)
        on_note(f"{skipped} of {folds} folds are left out, they test none of the clips chosen")
    if any(unfinished(fold_folder(folder, number), inputs.recipe) for number in numbers):
        forget_scores(folder)
    seconds, size = 0.0, parent.parameters
    for number in numbers:
        on_note(f"fold {number}: {inputs.split.folds[number]}")
        run = train_run(inputs.run_data(number), fold_folder(folder, number), listener, command=command)
        seconds += run.seconds or 0.0
        size = run.parameters
    parent = parent.model_copy(update={"parameters": size})  # known where each fold chose its layers
    return _finish(folder, parent, seconds, done=len(numbers), skipped=skipped)


def _finish(folder: Path, parent: RunInfo, seconds: float, *, done: int, skipped: int) -> RunInfo:
    """Write down that all folds are done, and how many are left out."""
    left_out = f"; {skipped} have no test clip among those chosen" if skipped else ""
    update = {"seconds": round(seconds, 1), "stopped": f"all {done} folds are done{left_out}"}
    complete = parent.model_copy(update=update)
    write_info(folder, complete)
    return complete


def _check_folds(inputs: Inputs, numbers: list[int]) -> None:
    """Make sure that each fold has training clips of two classes."""
    for number in numbers:
        try:
            check_classes(inputs.run_data(number))
        except TrainingError as error:
            name = inputs.split.folds[number]
            raise TrainingError(
                f"fold {number} ({name}): {error}; choose other corpora or another split"
            ) from None


def _parent_info(inputs: Inputs, number: int, folder: Path, command: str) -> RunInfo:
    data = inputs.run_data(number)
    size = parameter_count(build_model(inputs.recipe.model, data.store.shape[0], len(data.task.emotions)))
    info = describe(data, folder, command=command, parameters=size)
    clips = inputs.every_clip(number)  # each is tested by one fold
    tested = np.bincount(clips.target, minlength=len(data.task.emotions))
    return info.model_copy(
        update={
            "recipe": inputs.recipe.model_copy(update={"fold": ALL_FOLDS}),
            "split": inputs.split_info(ALL_FOLDS),
            "counts": {"test": len(clips)},
            "class_counts": {"test": tuple(tested.tolist())},
        }
    )
