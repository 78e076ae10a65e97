"""Run an experiment: what is missing, in the order that decides most claims, within a budget."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ser_pipeline.experiments.cells import Cell
from ser_pipeline.experiments.place import Places, only_one
from ser_pipeline.experiments.progress import NOT_YET, Progress, State, cell_table, write_table
from ser_pipeline.experiments.run import (
    FAULTS,
    NO_TIME,
    CellTask,
    Clock,
    Watcher,
    build_stores,
    do_task,
    failed,
    run_cell,
)
from ser_pipeline.experiments.schedule import Cost, estimates, ordered, total, work_of
from ser_pipeline.runs.findings import experiment_folder
from ser_pipeline.store.workers import run_tasks
from ser_pipeline.training.trackers import check_trackers


def run_cells(
    progress: Progress,
    places: Places,
    watcher: Watcher,
    *,
    command: str,
    budget_s: float = math.inf,
    only: Sequence[str] = (),
    jobs: int = 1,
    scheduler: str | None = None,
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
        scheduler: address of a Dask scheduler whose workers train the cells and build the stores; None
            works here, one cell after another.

    Raises:
        SettingsError: a tracker whose library is not installed.
        RunError: another process runs experiments in the same folder, or a worker is not of this version.
        StoreError: the cluster cannot be reached or was lost, or a worker cannot see the folders.
        KeyboardInterrupt: Ctrl-C; what is done is kept, and the rest continues next time.
    """
    for cell in progress.cells:
        check_trackers(cell.recipe.train.log)
    queue = _Queue(progress, places, watcher, command, time.time() + budget_s, only, jobs, scheduler)
    with only_one(places.runs):
        if scheduler is None:
            _one_by_one(queue, Clock(time.monotonic() + budget_s, watcher))
        else:
            folder = experiment_folder(places.runs, progress.design.experiment.name)
            for done in run_tasks(do_task, queue, jobs, scheduler, folder):
                for sentence in done.warnings:
                    watcher.warn(sentence)
                queue.ended(next(cell for cell in progress.cells if cell.key == done.key), done.state)
    for key, state in progress.states.items():
        if state.reason == NOT_YET:
            progress.states[key] = State("not run", NO_TIME)


def _one_by_one(queue: "_Queue", clock: Clock) -> None:
    """Train cells in this process until none is left or the time is over."""
    progress = queue.progress
    while (found := queue.next_cell()) is not None:
        cell, _ = found
        state = run_cell(
            cell, progress.ground, queue.places, queue.watcher, clock,
            work=work_of(cell, progress.ground), jobs=queue.jobs, command=queue.command,
        )  # fmt: skip
        queue.ended(cell, state)
        if state.reason == NO_TIME:
            break


@dataclass
class _Queue:
    """The cells that are still to be begun, each found when its turn comes.

    Attributes:
        progress: its states are brought up to date as cells end.
        places: folders.
        watcher: is told of each cell that begins and ends.
        command: as typed.
        until: when the budget is over, in seconds since 1970.
        only: patterns of arms to run.
        jobs: processes that build stores.
        scheduler: whose workers build stores.
        begun: keys.
    """

    progress: Progress
    places: Places
    watcher: Watcher
    command: str
    until: float
    only: Sequence[str]
    jobs: int
    scheduler: str | None
    begun: set[str] = field(default_factory=set)

    def _costs(self) -> dict[str, Cost]:
        found = estimates(self.progress, self.places, self.only, jobs=self.jobs)
        return {key: cost for key, cost in found.items() if key not in self.begun}

    def __len__(self) -> int:
        return len(self._costs())

    def __iter__(self) -> Iterator[CellTask]:
        """Hand out cells whose stores are there, until none is left that is expected to fit."""
        ground = self.progress.ground
        places = Places(
            *(each.absolute() for each in (self.places.data, self.places.cache, self.places.runs))
        )
        while (found := self.next_cell()) is not None:
            cell, cost = found
            try:
                self._prepare(cell)
            except FAULTS as error:
                self.ended(cell, failed(error))
                continue
            yield CellTask(
                cell, ground.manifests.absolute(), dict(ground.own_tasks), places,
                work_of(cell, ground), cost.training, self.until, self.command,
            )  # fmt: skip

    def _prepare(self, cell: Cell) -> None:
        """Write what workers would else write at the same time."""
        self.progress.ground.write_split(cell.recipe.split)
        build_stores(
            cell.recipe, self.progress.ground, self.places, self.watcher,
            jobs=self.jobs, scheduler=self.scheduler,
        )  # fmt: skip

    def next_cell(self) -> tuple[Cell, Cost] | None:
        """Begin the next cell; None when none is left that is expected to fit into the budget."""
        costs = self._costs()
        seconds = {key: cost.seconds for key, cost in costs.items()}
        left = self.until - time.time()
        if self.scheduler is None:
            queue = ordered(self.progress.needs(), seconds, left)
        else:  # how many cells run at once is the cluster's affair: each has to fit by itself
            fits = {key: cost for key, cost in seconds.items() if cost <= left}
            queue = ordered(self.progress.needs(), fits, math.inf)
        if not queue:
            return None
        cell = next(cell for cell in self.progress.cells if cell.key == queue[0])
        self.begun.add(cell.key)
        self.watcher.began(cell, len(queue), total([costs[key] for key in queue]))
        return cell, costs[cell.key]

    def ended(self, cell: Cell, state: State) -> None:
        """Note how a cell ended, and write the table."""
        self.progress.states[cell.key] = state
        self.watcher.ended(cell, state)
        folder = experiment_folder(self.places.runs, self.progress.design.experiment.name)
        write_table(folder, cell_table(self.progress))
