"""Keep two builds of the same shards apart.

One lock file per store; byte *i* of it stands for shard *i*. The operating system frees the
bytes when their process ends, however it ends.
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


def _words(start: int, stop: int) -> str:
    return "its shards" if stop == EVERY_SHARD else f"shards {start}:{stop}"
