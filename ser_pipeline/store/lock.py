"""Keep two builds of the same shards apart.

Two lock files per store, one of builds and one of their workers; byte *i* stands for shard *i*.
The operating system frees the bytes when their process ends, however it ends.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ser_pipeline.atomic import explained
from ser_pipeline.errors import StoreError

EVERY_SHARD = 1 << 40
"""End of a range that holds every shard there can be."""


@contextmanager
def shard_range(folder: Path, start: int, stop: int) -> Iterator[None]:
    """Hold shards ``start`` to ``stop - 1`` of a store while the block runs.

    Raises:
        StoreError: another process holds one of them, or the folder cannot be written to.
    """
    path = folder / "build.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise explained(error, path) from None
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, max(1, stop - start), start, os.SEEK_SET)
        except OSError:
            raise StoreError(
                f"{folder}: another build works on {_words(start, stop)}; "
                "wait for it, or give disjoint --shards"
            ) from None
        yield
    finally:
        os.close(handle)


@contextmanager
def one_shard(folder: Path, number: int) -> Iterator[None]:
    """Wait for a shard, and hold it while the block runs.

    A worker whose parent was killed may still be at it. Whoever comes next waits, finds the
    shard finished and leaves it alone, so that nothing is computed twice.

    Raises:
        SerError: the folder cannot be written to.
    """
    path = folder / "workers.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise explained(error, path) from None
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX, 1, number, os.SEEK_SET)
        yield
    finally:
        os.close(handle)


def _words(start: int, stop: int) -> str:
    return "its shards" if stop == EVERY_SHARD else f"shards {start}:{stop}"
