"""Every fold of a split as a run of its own, below one parent folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_pipeline.datasets.prepare import Inputs
from ser_pipeline.errors import RunError, TrainingError
from ser_pipeline.models.build import parameter_count
from ser_pipeline.runs.curves import Listener
from ser_pipeline.runs.files import write_info
from ser_pipeline.runs.learned import TeacherInfo
from ser_pipeline.runs.names import fold_folder
from ser_pipeline.runs.predictions import forget_scores
from ser_pipeline.runs.types import ALL_FOLDS, RunInfo
from ser_pipeline.tables.cells import plural
from ser_pipeline.training.info import describe
from ser_pipeline.training.run import check_classes, fresh_network, train_run, unfinished
from ser_pipeline.training.teacher import find_teacher, taught


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
    _check_folds(inputs, numbers, folder)
    parent = _parent_info(inputs, numbers[0], folder, command)
    write_info(folder, parent)
    skipped = len(inputs.split.folds) - len(numbers)
    if skipped:
        folds = len(inputs.split.folds)
        less = plural(
            skipped, f"of {folds} folds is left out, it tests", f"of {folds} folds are left out, they test"
        )
        on_note(f"{less} none of the clips chosen")
    if any(unfinished(fold_folder(folder, number), inputs.recipe) for number in numbers):
        forget_scores(folder)
    runs: list[RunInfo] = []
    for number in numbers:
        on_note(f"fold {number}: {inputs.split.folds[number]}")
        place, data = fold_folder(folder, number), inputs.run_data(number)
        if unfinished(place, data.recipe):
            data = taught(inputs, data, folder.parent)
        runs.append(train_run(data, place, listener, command=command))
    return _finish(folder, parent, runs, skipped=skipped)


def _finish(folder: Path, parent: RunInfo, runs: list[RunInfo], *, skipped: int) -> RunInfo:
    """Write down that all folds are done, how many are left out, and what is known since then."""
    left_out = f"; {plural(skipped, 'has', 'have')} no test clip among those chosen" if skipped else ""
    update = {
        "seconds": round(sum(run.seconds or 0.0 for run in runs), 1),
        "stopped": f"all {plural(len(runs), 'fold is', 'folds are')} done{left_out}",
        "parameters": runs[-1].parameters,  # where each fold chose its layers
        "teacher": _teacher(runs),
        "synthetic": any(run.synthetic for run in runs),
    }
    complete = parent.model_copy(update=update)
    write_info(folder, complete)
    return complete


def _teacher(runs: list[RunInfo]) -> TeacherInfo | None:
    """Who taught the folds, each by a run of its own."""
    known = [run.teacher for run in runs if run.teacher is not None]
    if not known:
        return None
    update = {"run": known[0].run.partition("/")[0], "unlabelled": sum(each.unlabelled for each in known)}
    return known[0].model_copy(update=update)


def _check_folds(inputs: Inputs, numbers: list[int], folder: Path) -> None:
    """Make sure that each fold has something to learn, and a teacher if one is wanted."""
    for number in numbers:
        try:
            data = inputs.run_data(number)
            check_classes(data)
        except TrainingError as error:
            name = inputs.split.folds[number]
            raise TrainingError(
                f"fold {number} ({name}): {error}; choose other corpora or another split"
            ) from None
        if (
            data.recipe.train.teacher
            and not data.recipe.target
            and unfinished(fold_folder(folder, number), data.recipe)
        ):
            find_teacher(data, folder.parent)


def _parent_info(inputs: Inputs, number: int, folder: Path, command: str) -> RunInfo:
    data = inputs.run_data(number)
    size = parameter_count(fresh_network(data))
    info = describe(data, folder, command=command, parameters=size)
    clips, classes = inputs.every_clip(number), len(data.task.emotions)  # each is tested by one fold
    tested = np.bincount(clips.target, minlength=classes)[:classes]
    return info.model_copy(
        update={
            "recipe": inputs.recipe.model_copy(update={"fold": ALL_FOLDS}),
            "split": inputs.split_info(ALL_FOLDS),
            "counts": {"test": len(clips)},
            "class_counts": {"test": tuple(tested.tolist())},
        }
    )
