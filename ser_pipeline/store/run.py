"""Run the chunks of a build in this process or in worker processes of this machine.

Nothing here loads a decoder or a compiler: workers do, each once, while this process already
hands out chunks.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence

from ser_pipeline.errors import StoreError
from ser_pipeline.store.plan import Done, Work

_WATCH_S = 0.5
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
