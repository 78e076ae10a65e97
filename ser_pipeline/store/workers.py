"""Do tasks in this process, in worker processes of this machine, or on a Dask cluster.

Through Dask's own client: joblib's backend on top of it waits for ever when the cluster gives a
task up because its workers died.
"""

import logging
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from ser_pipeline.errors import TOLD, StoreError, remark
from ser_pipeline.processes import lost, processes
from ser_pipeline.remote.addresses import is_folder
from ser_pipeline.store.plan import Task

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T", bound=Task)
T_co = TypeVar("T_co", bound=Task, covariant=True)
R = TypeVar("R")

_WATCH_S = 0.5
_REACH_S = 10
_WORKERS_S = 30
_AHEAD = 2
"""Tasks handed out for each thread of the cluster, so that none waits for the next."""

_EACH = 2
"""Worker processes of each processor, so that one computes while another waits for a disk."""

_AGAIN = "what was finished is kept: run the same command again"


class Tasks(Protocol[T_co]):
    """Tasks in the order they are begun, as a list, or made when their turn comes."""

    def __len__(self) -> int:
        """Count them."""

    def __iter__(self) -> Iterator[T_co]:
        """Go through them."""


def run_tasks(
    do: Callable[[T], R], tasks: Tasks[T], jobs: int, scheduler: str | None, where: Path
) -> Iterator[R]:
    """Do tasks in this process, in worker processes of this machine or on a cluster, as they are finished.

    Args:
        do: what is done with a task; a function that a worker can import.
        tasks: in the order they are begun; doing one twice must do no harm.
        jobs: worker processes, at most two on each processor; 1 works in this process.
        scheduler: address of a Dask scheduler whose workers do the work; None works on this machine.
        where: what is being made, for messages.

    Raises:
        StoreError: a worker was killed, or the cluster cannot be reached or was lost.
    """
    if scheduler is not None and tasks:
        yield from run_dask(do, tasks, scheduler)
    elif len(tasks) <= 1 or processes(jobs) == 1:
        yield from map(do, tasks)
    else:
        yield from _run_local(do, tasks, jobs, where)


def _run_local(do: Callable[[T], R], tasks: Tasks[T], jobs: int, where: Path) -> Iterator[R]:
    from concurrent.futures.process import BrokenProcessPool

    import joblib

    watched = {"initializer": _end_with, "initargs": (os.getpid(),)}
    workers = min(jobs, len(tasks), most := _EACH * joblib.cpu_count())
    if workers == most < jobs:
        remark(f"{workers} worker processes: more than {_EACH} on a processor only wait for each other")
    with joblib.parallel_config("loky", n_jobs=workers, inner_max_num_threads=1, **watched):
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        try:
            each = (  # one worker says what all of them wait for
                joblib.delayed(_in_worker)(do, task, bool(TOLD) and number == 0)
                for number, task in enumerate(tasks)
            )
            yield from parallel(each)
        except BrokenProcessPool as error:
            raise StoreError(f"{where}: {lost(error)}; {_AGAIN}, perhaps with fewer --jobs") from None


def _in_worker(do: Callable[[T], R], task: T, tells: bool) -> R:
    TOLD[:] = [partial(print, file=sys.stderr, flush=True)] if tells else []
    try:
        os.getcwd()
    except FileNotFoundError:  # an earlier call began this process in a folder that is gone
        os.chdir(tempfile.gettempdir())
    return do(task)


def _end_with(parent: int) -> None:
    """End this process soon after the one that started it, even if that one was killed."""
    threading.Thread(target=_wait_for_the_end_of, args=(parent,), daemon=True).start()


def _wait_for_the_end_of(parent: int) -> None:
    if sys.platform == "win32":  # a process keeps the number of its parent there
        import _winapi

        handle = _winapi.OpenProcess(_winapi.SYNCHRONIZE, False, parent)
        _winapi.WaitForSingleObject(handle, _winapi.INFINITE)
    while os.getppid() == parent and sys.platform != "win32":
        time.sleep(_WATCH_S)
    os._exit(1)


def run_dask(do: Callable[[T], R], tasks: Tasks[T], scheduler: str) -> Iterator[R]:
    """Do tasks on a Dask cluster, in the order they are finished.

    Dask runs a task again where a worker was lost. Workers may come and go.

    Args:
        do: what is done with a task.
        tasks: their folders must be the same ones on every machine.
        scheduler: its address, as ``tcp://10.0.0.1:8786``.

    Raises:
        StoreError: the extra is not installed, the scheduler cannot be reached or went away, or
            workers were lost too often.
    """
    try:
        from distributed import KilledWorker, as_completed
    except ImportError:
        raise StoreError(
            "--backend dask: Dask is not installed; run pip install 'ser-pipeline[cluster]'"
        ) from None
    with _connected(scheduler) as client:
        ahead = iter(tasks)
        running = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
        waiting = 0
        try:
            while True:
                room = _AHEAD * max(1, sum(client.ncores().values())) - waiting  # type: ignore[no-untyped-call]
                for task in islice(ahead, max(0, room)):
                    running.add(client.submit(_on_worker, do, task, pure=False))  # type: ignore[no-untyped-call]
                    waiting += 1
                if not waiting:
                    return
                yield next(running).result()
                waiting -= 1
        except KilledWorker:
            raise StoreError(
                f"{scheduler}: workers were lost several times at the same task, perhaps out of memory; "
                f"{_AGAIN}"
            ) from None
        except (CancelledError, OSError):
            raise StoreError(f"{scheduler}: the connection to the scheduler was lost; {_AGAIN}") from None


@contextmanager
def _connected(scheduler: str) -> Iterator["Client"]:
    from distributed import Client

    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)  # its troubles are told here, in one line
    try:
        try:
            client = Client(scheduler, timeout=_REACH_S, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise StoreError(
                f"--scheduler {scheduler}: cannot be reached ({type(error).__name__}); "
                "start one with 'dask scheduler'"
            ) from None
        with client:
            try:
                client.wait_for_workers(1, timeout=_WORKERS_S)
            except TimeoutError:
                raise StoreError(f"{scheduler}: has no workers; run 'dask worker {scheduler}'") from None
            yield client
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _on_worker(do: Callable[[T], R], task: T) -> R:
    for folder in task.folders:
        if not is_folder(folder):
            raise StoreError(
                f"{folder}: the worker on {socket.gethostname()} cannot see this folder; "
                "it must have the same path on every machine"
            )
    with threadpool_limits(1):
        return do(task)
