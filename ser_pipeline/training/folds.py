"""Every fold of a split as a run of its own, below one parent folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_pipeline.datasets.prepare import ALL_FOLDS, Inputs
from ser_pipeline.datasets.run_data import RunData
from ser_pipeline.errors import RunError, SerError, TrainingError
from ser_pipeline.models import build_model, parameter_count
from ser_pipeline.results import RunInfo
from ser_pipeline.training.info import SETTINGS, describe, write_info
from ser_pipeline.training.recorder import Listener
from ser_pipeline.training.run import forget_scores, train_run


def fold_folder(folder: Path, number: int) -> Path:
    """Run folder of one fold.

    Examples:
        >>> fold_folder(Path("runs/a"), 3).name
        'fold-3'
    """
    return folder / f"fold-{number}"


def fold_folders(folder: Path) -> list[Path]:
    """Run folders of all folds that were begun, by number."""
    found = [path.parent for path in folder.glob(f"fold-*/{SETTINGS}")]
    return sorted(found, key=lambda path: int(path.name.removeprefix("fold-")))


def tested_folds(inputs: Inputs) -> dict[int, RunData]:
    """Clips of every fold that tests at least one of those chosen, by number.

    All folds are looked at before one is trained, so that none fails after hours.

    Raises:
        TrainingError: a fold has no training clips, or no fold has test clips.
    """
    folds = {}
    for number, name in enumerate(inputs.split.folds):
        if not inputs.tests(number):
            continue
        try:
            folds[number] = inputs.run_data(number)
        except SerError as error:
            raise TrainingError(
                f"fold {number} ({name}): {error}; choose other corpora or another split"
            ) from None
    if not folds:
        raise TrainingError(f"split '{inputs.split.name}': no fold has a test clip among those chosen")
    return folds


def train_folds(
    inputs: Inputs,
    folder: Path,
    listener: Listener,
    *,
    command: str,
    on_fold: Callable[[int, str], None] = lambda number, name: None,
) -> RunInfo:
    """Train every fold of a split, or go on with those that are not done.

    The parent's ``settings.json`` stands for all of them: ``fold`` is ``all``, its clips are the
    test clips of all folds, its seconds their sum.

    Args:
        inputs: manifest, split with folds, store and recipe.
        folder: of the parent run.
        listener: is told of steps and epochs.
        command: as typed, for the record.
        on_fold: is told number and name of each fold before it begins.

    Raises:
        RunError: the split has no folds; and as :func:`ser_pipeline.training.run.train_run`.
    """
    names = inputs.split.folds
    if not names:
        raise RunError(f"split '{inputs.split.name}' has no folds; leave out --fold {ALL_FOLDS}")
    parent = _parent_info(inputs, folder, command)
    write_info(folder, parent)
    tested = tested_folds(inputs)
    seconds = 0.0
    for number, data in tested.items():
        on_fold(number, names[number])
        forget_scores(folder)
        seconds += train_run(data, fold_folder(folder, number), listener, command=command).seconds or 0.0
    left_out = len(names) - len(tested)
    skipped = f"; {left_out} have no test clip among those chosen" if left_out else ""
    done = {"seconds": round(seconds, 1), "stopped": f"all {len(tested)} folds are done{skipped}"}
    complete = parent.model_copy(update=done)
    write_info(folder, complete)
    return complete


def _parent_info(inputs: Inputs, folder: Path, command: str) -> RunInfo:
    data = next(iter(tested_folds(inputs).values()))
    size = parameter_count(
        build_model(inputs.recipe.model, data.store.front_end.n_mels, len(data.task.emotions))
    )
    info = describe(data, folder, command=command, parameters=size)
    tested = np.bincount(data.examples.target, minlength=len(data.task.emotions))  # each clip by one fold
    return info.model_copy(
        update={
            "recipe": inputs.recipe.model_copy(update={"fold": ALL_FOLDS}),
            "split": inputs.split_info(ALL_FOLDS),
            "counts": {"test": len(data.examples)},
            "class_counts": {"test": tuple(tested.tolist())},
        }
    )
