"""Where cells and findings are kept, and the record of a cell that is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import RunError
from ser_pipeline.options import Options
from ser_pipeline.runs.files import read_result, write_result
from ser_pipeline.runs.names import EXPERIMENTS

CELLS: Final = "cells"
RECORD: Final = "cell.json"


class CellRecord(Options):
    """``cell.json``, the last file of a cell: what is there without it is not finished.

    Attributes:
        key: of the cell.
        model: architecture.
        seconds: wall time of training and scoring, over all sittings.
        work: what it was estimated by: recordings, folds and epochs.
        train_clips: of all folds together.
        test_clips: that were scored.
        test_speakers: number of speakers of these clips.
        parameters: of the network.
        best_epoch: whose weights were kept; None with folds.
        validation_uar: None with folds, or without validation clips.
        accuracy: on test clips; likewise the following scores.
        error_distance: None where the task has no distances.
        front_end_ms: from samples to input, a clip of three seconds, on this machine.
        network_ms: from input to decision.
    """

    schema_version: Literal[1] = 1
    key: str
    model: str
    seconds: float
    work: float
    train_clips: int
    test_clips: int
    test_speakers: int
    parameters: int
    best_epoch: int | None
    validation_uar: float | None
    accuracy: float
    uar: float
    macro_f1: float
    ece: float
    error_distance: float | None
    front_end_ms: float
    network_ms: float


@dataclass(frozen=True, slots=True)
class Places:
    """Folders an experiment reads and writes.

    Attributes:
        data: of the recordings; read only where a store lacks some.
        cache: of the stores.
        runs: of the runs.
    """

    data: Path
    cache: Path
    runs: Path


def cell_folder(runs: Path, key: str) -> Path:
    """Run folder of a cell.

    Examples:
        >>> cell_folder(Path("runs"), "ab12").as_posix()
        'runs/experiments/cells/ab12'
    """
    return runs / EXPERIMENTS / CELLS / key


def read_record(runs: Path, key: str) -> CellRecord | None:
    """Record of a cell; None where it is not finished, or was written by another version."""
    path = cell_folder(runs, key) / RECORD
    if not key or not path.is_file():
        return None
    try:
        return read_result(CellRecord, path)
    except RunError:
        return None  # its training goes on from the checkpoint, or it is scored again: nothing is lost


def write_record(runs: Path, record: CellRecord) -> None:
    """Write the record of a cell that is done."""
    write_result(cell_folder(runs, record.key) / RECORD, record)


def all_records(runs: Path) -> list[CellRecord]:
    """Records of every cell there is, of whichever experiment."""
    keys = sorted(path.parent.name for path in (runs / EXPERIMENTS / CELLS).glob(f"*/{RECORD}"))
    return [record for key in keys if (record := read_record(runs, key)) is not None]


@contextmanager
def only_one(runs: Path) -> Iterator[None]:
    """Hold a folder of experiments while the block runs; the system frees it however the process ends.

    Raises:
        RunError: another process holds it.
    """
    folder = runs / EXPERIMENTS
    taken = RunError(f"{folder}: another experiment is running here; wait for it, or choose another --runs")
    with lock_file(folder / "running.lock", taken):
        yield


@contextmanager
def one_cell(runs: Path, key: str) -> Iterator[None]:
    """Wait for a cell, and hold it while the block runs; whoever waited looks at it again."""
    with lock_file(runs / EXPERIMENTS / "cells.lock", None, int(key[:7], 16), 1):
        yield
