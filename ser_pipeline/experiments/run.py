"""Train and score one cell of an experiment, in this process or on a worker of a cluster."""

import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from ser_pipeline import __version__
from ser_pipeline.api import Watcher as TrainingWatcher
from ser_pipeline.api import build_store, fit_and_score
from ser_pipeline.api.places import OnProgress
from ser_pipeline.datasets.prepare import read_inputs
from ser_pipeline.errors import OutOfTimeError, RunError, SerError, TrainingError
from ser_pipeline.evaluation.run import decision_ms
from ser_pipeline.experiments.arms import cell_key
from ser_pipeline.experiments.cells import Cell, Ground
from ser_pipeline.experiments.place import (
    CellRecord,
    Places,
    cell_folder,
    one_cell,
    read_record,
    write_record,
)
from ser_pipeline.experiments.progress import State
from ser_pipeline.experiments.schedule import wanted_stores
from ser_pipeline.manifest import read_manifest
from ser_pipeline.options import Recipe
from ser_pipeline.runs.curves import EpochReport
from ser_pipeline.runs.files import read_info
from ser_pipeline.runs.names import fold_folders
from ser_pipeline.runs.types import ALL_FOLDS, RunInfo, RunScores

NO_TIME: Final = "the budget was used up"

FAULTS: Final = (
    SerError, RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, MemoryError, OSError,
)  # fmt: skip
"""What ends one cell and no other: errors of ours, and what libraries raise for data they cannot use."""


class Clock(TrainingWatcher):
    """Listens to a training and ends it after the epoch in which a deadline passes.

    Args:
        deadline: of :func:`time.monotonic`; infinite without a budget.
        watcher: is told of each epoch, and of what goes wrong without ending a training.
    """

    def __init__(self, deadline: float, watcher: "Watcher | TrainingWatcher") -> None:
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
        folds = [*fold_folders(folder).values()]
        place, clips = folds[0], sum(read_info(fold).counts["train"] for fold in folds)
    else:
        place, clips = folder, run.info.counts["train"]
    seconds = max(time.monotonic() - started, run.info.seconds or 0.0)
    record = _record(cell, run.info, run.scores, place, clips=clips, seconds=seconds, work=work)
    write_record(runs, record)
    return record


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


def run_cell(
    cell: Cell,
    ground: Ground,
    places: Places,
    watcher: Watcher | None,
    clock: Clock,
    *,
    work: float,
    jobs: int,
    command: str,
) -> State:
    """Build what a cell reads, and train it; whatever is wrong with it ends it alone.

    A worker that still trains this cell for a command that has ended is waited for.

    Args:
        cell: what to train.
        ground: the recordings.
        places: folders.
        watcher: is told of the stores that are built; None where they are there.
        clock: ends the training when the budget is over.
        work: what the cell was estimated by.
        jobs: processes that build stores.
        command: as typed.
    """
    try:
        with one_cell(places.runs, cell.key):
            known = read_record(places.runs, cell.key)
            if known is not None:  # another process has done it meanwhile
                return State("done", record=known)
            if watcher is not None:
                build_stores(cell.recipe, ground, places, watcher, jobs=jobs)
            record = train_cell(
                cell, ground, clock, cache=places.cache, runs=places.runs, work=work, command=command
            )
    except OutOfTimeError:
        return State("not run", NO_TIME)
    except FAULTS as error:
        return failed(error)
    return State("done", record=record)


def build_stores(
    recipe: Recipe,
    ground: Ground,
    places: Places,
    watcher: Watcher,
    *,
    jobs: int,
    scheduler: str | None = None,
) -> None:
    """Build what a recipe's stores lack."""
    for options, copies in wanted_stores(recipe):
        with watcher.building(options.kind) as on_progress:
            build_store(
                options, copies=copies, data=places.data, manifests=ground.manifests, cache=places.cache,
                jobs=jobs, scheduler=scheduler, on_progress=on_progress,
            )  # fmt: skip


def failed(error: BaseException) -> State:
    """State of a cell that an error has ended."""
    name = "" if isinstance(error, SerError) else f"{type(error).__name__}: "
    return State("failed", f"{name}{str(error).partition(chr(10))[0]}")


@dataclass(frozen=True, slots=True)
class CellTask:
    """All a worker needs to train one cell.

    Attributes:
        cell: what to train; its stores and its split are there.
        manifests: folder of the manifest.
        own_tasks: tasks of ``ser.toml``.
        places: folders.
        work: what the cell was estimated by.
        seconds: what it should take.
        until: when the budget is over, in seconds since 1970.
        command: for the record.
        version: of this package where the command runs.
    """

    cell: Cell
    manifests: Path
    own_tasks: Mapping[str, Sequence[str]]
    places: Places
    work: float
    seconds: float
    until: float
    command: str
    version: str = __version__

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that must be there wherever it is done."""
        return self.manifests, self.places.cache, self.places.runs


class CellDone(NamedTuple):
    """What a worker says of a cell: its key, how it stands, and what went wrong without ending it."""

    key: str
    state: State
    warnings: tuple[str, ...]


class _Warnings(TrainingWatcher):
    """Keeps warnings for whoever handed out the cell."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, sentence: str) -> None:
        self.said.append(sentence)


def do_task(task: CellTask) -> CellDone:
    """Train a cell on a worker; doing it twice, even at the same time, trains it once.

    Raises:
        RunError: this process would train another cell than the one that is asked for.
    """
    cell = task.cell
    ground = Ground(task.manifests, read_manifest(task.manifests), task.own_tasks)
    _refuse_strangers(task, ground)
    left = task.until - time.time()
    if task.seconds > left:
        return CellDone(cell.key, State("not run", NO_TIME), ())
    watcher = _Warnings()
    clock = Clock(time.monotonic() + left, watcher)
    state = run_cell(cell, ground, task.places, None, clock, work=task.work, jobs=1, command=task.command)
    return CellDone(cell.key, state, tuple(watcher.said))


def _refuse_strangers(task: CellTask, ground: Ground) -> None:
    """A worker on another machine may have other versions or files: its numbers belong to another cell."""
    where = f"{task.cell.label}: the worker on {socket.gethostname()}"
    if task.version != __version__:
        raise RunError(
            f"{where} has version {__version__} of ser-pipeline, and this command has {task.version}; "
            "install the same version on every machine"
        )
    split = ground.split(task.cell.recipe.split)
    key = cell_key(
        task.cell.recipe,
        manifest_digest=ground.manifest.digest,
        split_digest=split.digest,
        own_tasks=task.own_tasks,
    )
    if key != task.cell.key:
        raise RunError(
            f"{where} has another manifest or other library versions and would train another cell; "
            "install the versions in constraints.txt on every machine"
        )
