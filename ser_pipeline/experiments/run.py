"""Run an experiment: what is missing, in the order that decides most claims, within a budget."""

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Protocol

from ser_pipeline.api import Watcher as TrainingWatcher
from ser_pipeline.api import build_store, fit_and_score
from ser_pipeline.api.places import OnProgress
from ser_pipeline.datasets.prepare import read_inputs
from ser_pipeline.errors import OutOfTimeError, SerError, TrainingError
from ser_pipeline.evaluation.run import decision_ms
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.place import (
    CellRecord,
    Places,
    cell_folder,
    only_one,
    read_record,
    write_record,
)
from ser_pipeline.experiments.progress import NOT_YET, Progress, State, cell_table, write_table
from ser_pipeline.experiments.schedule import estimates, ordered, total, wanted_stores, work_of
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.findings import experiment_folder
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.runs.types import ALL_FOLDS, RunInfo, RunScores
from ser_pipeline.training.recorder import EpochReport
from ser_pipeline.training.trackers import check_trackers

NO_TIME: Final = "the budget was used up"

_FAULTS: Final = (
    SerError, RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, MemoryError, OSError,
)  # fmt: skip
"""What ends one cell and no other: errors of ours, and what libraries raise for data they cannot use."""


class Clock(TrainingWatcher):
    """Listens to a training and ends it after the epoch in which a deadline passes.

    Args:
        deadline: of :func:`time.monotonic`; infinite without a budget.
        watcher: is told of each epoch, and of what goes wrong without ending a training.
    """

    def __init__(self, deadline: float, watcher: "Watcher") -> None:
        self.deadline = deadline
        self._watcher = watcher

    def warn(self, sentence: str) -> None:
        """Hand a warning on."""
        self._watcher.warn(sentence)

    def epoch_done(self, report: EpochReport) -> None:
        """Look at the time.

        Raises:
            OutOfTimeError: it is over; the epoch's files are written.
        """
        self._watcher.epoch_done(report)
        if time.monotonic() > self.deadline:
            raise OutOfTimeError("the budget was used up after an epoch; the next run continues from there")


class Watcher(Protocol):
    """An observer of an experiment."""

    def building(self, kind: str) -> AbstractContextManager[OnProgress]:
        """A store is being built while the block runs; what it yields is told how far it is."""

    def began(self, cell: Cell, ahead: int, seconds: float) -> None:
        """A cell begins; with it, ``ahead`` cells are expected to take ``seconds``."""

    def epoch_done(self, report: EpochReport) -> None:
        """An epoch of the cell is done."""

    def warn(self, sentence: str) -> None:
        """Something went wrong without ending the cell."""

    def ended(self, cell: Cell, state: State) -> None:
        """A cell has ended, well or not."""


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
    run = fit_and_score(folder, inputs, clock, command=command, title=cell.label)
    if recipe.fold == ALL_FOLDS:
        place, clips = fold_folders(folder)[0], _clips(folder)
    else:
        place, clips = folder, run.info.counts["train"]
    seconds = max(time.monotonic() - started, run.info.seconds or 0.0)
    record = _record(cell, run.info, run.scores, place, clips=clips, seconds=seconds, work=work)
    write_record(runs, record)
    return record


def _clips(folder: Path) -> int:
    """Training clips of all folds."""
    return sum(read_info(fold).counts["train"] for fold in fold_folders(folder))


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


def run_cells(
    progress: Progress,
    places: Places,
    watcher: Watcher,
    *,
    command: str,
    budget_s: float = math.inf,
    only: Sequence[str] = (),
    jobs: int = 1,
) -> None:
    """Train what is missing; a cell that fails is noted, and the next one begins.

    After each cell, the order is updated from the times of the cells so far, and the table of cells is
    written again.

    Args:
        progress: its states are brought up to date as cells end.
        places: folders.
        watcher: is told of everything.
        command: as typed.
        budget_s: wall time; a cell that is not expected to fit is not begun, and a network is stopped
            after the epoch in which the time is over.
        only: patterns of arms to run.
        jobs: processes that build stores.

    Raises:
        SettingsError: a tracker whose library is not installed.
        RunError: another process runs experiments in the same folder.
        KeyboardInterrupt: Ctrl-C; what is done is kept, and the rest continues next time.
    """
    for cell in progress.cells:
        check_trackers(cell.recipe.train.log)
    deadline = time.monotonic() + budget_s
    clock = Clock(deadline, watcher)
    folder = experiment_folder(places.runs, progress.design.experiment.name)
    with only_one(places.runs):
        while True:
            costs = estimates(progress, places, only, jobs=jobs)
            seconds = {key: cost.seconds for key, cost in costs.items()}
            queue = ordered(progress.needs(), seconds, deadline - time.monotonic())
            if not queue:
                break
            cell = next(cell for cell in progress.cells if cell.key == queue[0])
            watcher.began(cell, len(queue), total([costs[key] for key in queue]))
            state = run_cell(
                cell, progress.ground, places, watcher, clock,
                work=work_of(cell, progress.ground), jobs=jobs, command=command,
            )  # fmt: skip
            progress.states[cell.key] = state
            watcher.ended(cell, state)
            write_table(folder, cell_table(progress))
            if state.reason == NO_TIME:
                break
    for key in costs:
        if progress.states[key].reason == NOT_YET:
            progress.states[key] = State("not run", NO_TIME)


def run_cell(
    cell: Cell,
    ground: Ground,
    places: Places,
    watcher: Watcher,
    clock: Clock,
    *,
    work: float,
    jobs: int,
    command: str,
) -> State:
    """Build what a cell reads, and train it; whatever is wrong with it ends it alone.

    Args:
        cell: what to train.
        ground: the recordings.
        places: folders.
        watcher: is told of the stores that are built.
        clock: ends the training when the budget is over.
        work: what the cell was estimated by.
        jobs: processes that build stores.
        command: as typed.
    """
    known = read_record(places.runs, cell.key)
    if known is not None:  # another process has done it meanwhile
        return State("done", record=known)
    try:
        for options, copies in wanted_stores(cell.recipe):
            with watcher.building(options.kind) as on_progress:
                build_store(
                    options, copies=copies, data=places.data, manifests=ground.manifests, cache=places.cache,
                    jobs=jobs, on_progress=on_progress,
                )  # fmt: skip
        record = train_cell(
            cell, ground, clock, cache=places.cache, runs=places.runs, work=work, command=command
        )
    except OutOfTimeError:
        return State("not run", NO_TIME)
    except _FAULTS as error:
        name = "" if isinstance(error, SerError) else f"{type(error).__name__}: "
        return State("failed", f"{name}{str(error).partition(chr(10))[0]}")
    return State("done", record=record)
