"""Run the chunks of a build on a Dask cluster.

Through Dask's own client: joblib's backend on top of it waits for ever when the cluster gives a
task up because its workers died.
"""

import logging
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from ser_pipeline.errors import StoreError
from ser_pipeline.store.plan import Done, Work

if TYPE_CHECKING:
    from distributed import Client

_REACH_S = 10
_WORKERS_S = 30
_AHEAD = 2
"""Chunks handed out for each thread of the cluster, so that none waits for the next."""

_AGAIN = "finished shards are complete: run the same command again"


def run_dask(works: Sequence[Work], scheduler: str) -> Iterator[Done]:
    """Make shards on a Dask cluster, in the order they are finished.

    Dask runs a task again where a worker was lost; a shard that is finished by then is left alone.
    Workers may come and go.

    Args:
        works: the chunks; their folders must be the same ones on every machine.
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
        ahead = iter(works)
        running = as_completed(loop=client.loop)  # type: ignore[no-untyped-call]
        waiting = 0
        try:
            while True:
                room = _AHEAD * max(1, sum(client.ncores().values())) - waiting  # type: ignore[no-untyped-call]
                for work in islice(ahead, max(0, room)):
                    running.add(client.submit(_on_worker, work, pure=False))  # type: ignore[no-untyped-call]
                    waiting += 1
                if not waiting:
                    return
                yield next(running).result()
                waiting -= 1
        except KilledWorker:
            raise StoreError(
                f"{scheduler}: workers were lost several times at the same shard, perhaps out of memory; "
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


def _on_worker(work: Work) -> Done:
    from ser_pipeline.store.work import make_shard

    for folder in (work.folder, work.data):
        if not folder.is_dir():
            raise StoreError(
                f"{folder}: the worker on {socket.gethostname()} cannot see this folder; "
                "it must have the same path on every machine"
            )
    with threadpool_limits(1):
        return make_shard(work)
