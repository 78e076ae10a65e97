"""Run the chunks of a build: in this process, in worker processes, or on a cluster.

Nothing here loads a decoder or a compiler: workers do, each once, while this process already
hands out chunks.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence

from threadpoolctl import threadpool_limits

from ser_pipeline.errors import StoreError
from ser_pipeline.store.plan import Done, Work

_WATCH_S = 0.5
_REACH_S = 10
_WORKERS_S = 30
_watched: set[int] = set()


def run_here(works: Sequence[Work]) -> Iterator[Done]:
    """Make shards one after another in this process."""
    from ser_pipeline.store.work import make_shard

    yield from map(make_shard, works)


def run_local(works: Sequence[Work], jobs: int) -> Iterator[Done]:
    """Make shards in worker processes of this machine, in the order they are finished.

    Raises:
        StoreError: a worker was killed.
    """
    from concurrent.futures.process import BrokenProcessPool

    import joblib

    with joblib.parallel_config("loky", n_jobs=min(jobs, len(works)), inner_max_num_threads=1):
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
        try:
            yield from parallel(joblib.delayed(_in_worker)(work, os.getpid()) for work in works)
        except BrokenProcessPool:
            raise StoreError(
                f"{works[0].folder}: a worker was killed, perhaps for want of memory; what was finished "
                "is whole: run the same command again, perhaps with fewer --jobs"
            ) from None


def run_dask(works: Sequence[Work], scheduler: str) -> Iterator[Done]:
    """Make shards on a Dask cluster, in the order they are finished.

    Dask runs a task again where a worker was lost; a shard that is finished by then is left alone.

    Args:
        works: the chunks; their folders must be the same ones on every machine.
        scheduler: its address, as ``tcp://10.0.0.1:8786``.

    Raises:
        StoreError: the extra is not installed, the scheduler cannot be reached, or workers were lost.
    """
    try:
        import distributed
        import joblib
        import joblib._dask
    except ImportError:
        raise StoreError("--backend dask: not installed; pip install 'ser-pipeline[cluster]'") from None
    try:
        client = distributed.Client(scheduler, timeout=_REACH_S)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise StoreError(
            f"--scheduler {scheduler}: cannot be reached ({type(error).__name__}); "
            "start one with 'dask scheduler'"
        ) from None
    with client, joblib.parallel_config("dask", n_jobs=-1, wait_for_workers_timeout=_WORKERS_S):
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        try:
            yield from parallel(joblib.delayed(_on_cluster)(work) for work in works)
        except distributed.KilledWorker:
            raise StoreError(
                f"{scheduler}: workers were lost several times at the same shard, for want of memory? "
                "What was finished is whole: run the same command again"
            ) from None
        except TimeoutError:
            raise StoreError(f"{scheduler}: has no workers; run 'dask worker {scheduler}'") from None


def _on_cluster(work: Work) -> Done:
    from ser_pipeline.store.work import make_shard

    with threadpool_limits(1):
        return make_shard(work)


def _in_worker(work: Work, parent: int) -> Done:
    from ser_pipeline.store.work import make_shard

    if parent not in _watched:
        _watched.add(parent)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return make_shard(work)


def _end_with(parent: int) -> None:
    """End this process soon after the one that started it, which may be killed without a word."""
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(1)
