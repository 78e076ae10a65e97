"""One cell: train what is left of it, score it, and write down what it cost."""

import time
from collections.abc import Callable
from pathlib import Path

from ser_pipeline.datasets.prepare import ALL_FOLDS, read_inputs
from ser_pipeline.errors import SerError, TrainingError
from ser_pipeline.evaluation.latency import decision_ms
from ser_pipeline.evaluation.run import score_folds, score_run
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.place import CellRecord, cell_folder, write_record
from ser_pipeline.results import RunInfo, RunScores, read_result
from ser_pipeline.training.folds import fold_folders, train_folds
from ser_pipeline.training.info import SETTINGS
from ser_pipeline.training.recorder import EpochReport
from ser_pipeline.training.run import train_run


class OutOfTimeError(SerError):
    """The budget was over within a training, which can go on from its last epoch."""


class Clock:
    """Listens to a training and ends it after the epoch in which a deadline passes.

    Args:
        deadline: of :func:`time.monotonic`; infinite without a budget.
        on_epoch: is told of each epoch.
    """

    def __init__(self, deadline: float, on_epoch: Callable[[EpochReport], None]) -> None:
        self.deadline = deadline
        self._on_epoch = on_epoch

    def epoch_began(self, epoch: int, clips: int) -> None:
        """Nothing to do before an epoch."""

    def step_done(self, clips: int) -> None:
        """Nothing to do within an epoch."""

    def epoch_done(self, report: EpochReport) -> None:
        """Look at the time.

        Raises:
            OutOfTimeError: it is over; the epoch's files are written.
        """
        self._on_epoch(report)
        if time.monotonic() > self.deadline:
            raise OutOfTimeError("the budget was over after an epoch; it goes on from there next time")


def train_cell(
    cell: Cell, ground: Ground, clock: Clock, *, cache: Path, runs: Path, work: float, command: str
) -> CellRecord:
    """Train and score a cell, or go on with it; its record is written last.

    Args:
        cell: what to train.
        ground: the recordings; the split's file is written where it is missing.
        clock: ends the training when the budget is over.
        cache: folder of the stores; that of the cell is there.
        runs: folder of the runs.
        work: what the cell was estimated by.
        command: for the record.

    Raises:
        OutOfTimeError: the budget was over first.
        SerError: it cannot be trained or scored.
    """
    started = time.monotonic()
    recipe, folder = cell.recipe, cell_folder(runs, cell.key)
    ground.write_split(recipe.split)
    inputs = read_inputs(recipe, manifests=ground.manifests, cache=cache, own_tasks=ground.own_tasks)
    if recipe.fold == ALL_FOLDS:
        info = train_folds(inputs, folder, clock, command=command)
        scores = score_folds(folder, inputs)
        place, clips = fold_folders(folder)[0], _clips(folder)
    else:
        data = inputs.run_data(recipe.fold)
        info = train_run(data, folder, clock, command=command)
        scores = score_run(folder, data)
        place, clips = folder, info.counts["train"]
    seconds = max(time.monotonic() - started, info.seconds or 0.0)
    record = _record(cell, info, scores, place, clips=clips, seconds=seconds, work=work)
    write_record(runs, record)
    return record


def _clips(folder: Path) -> int:
    """Training clips of all folds."""
    return sum(read_result(RunInfo, fold / SETTINGS).counts["train"] for fold in fold_folders(folder))


def _record(
    cell: Cell, info: RunInfo, scores: RunScores, place: Path, *, clips: int, seconds: float, work: float
) -> CellRecord:
    if "test" not in scores.parts:
        raise TrainingError(f"split '{cell.recipe.split}': no clip chosen is in the test part")
    test, validation = scores.parts["test"].pooled, scores.parts.get("validation")
    front_end_ms, network_ms = decision_ms(place)
    return CellRecord(
        key=cell.key,
        model=cell.recipe.model.name,
        seconds=round(seconds, 2),
        work=work,
        train_clips=clips,
        test_clips=test.clips,
        test_speakers=test.speakers,
        parameters=info.parameters,
        best_epoch=info.best_epoch if info.split.fold is None else None,
        validation_uar=None if validation is None else validation.pooled.uar.value,
        accuracy=test.accuracy.value,
        uar=test.uar.value,
        macro_f1=test.macro_f1.value,
        ece=test.ece,
        error_distance=test.error_distance,
        front_end_ms=front_end_ms,
        network_ms=network_ms,
    )
