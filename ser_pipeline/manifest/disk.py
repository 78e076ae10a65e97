"""Ask for the state of many files at once, without opening them."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from ser_pipeline.manifest.arrays import Ints

AT_ONCE: Final = 4096
"""Files per task; enough that handing out tasks costs nothing."""

STATE: Final = ("size", "mtime_ns", "ctime_ns")
"""Columns of :func:`file_states`; a program can set the second back, but not the third."""


class Pool(ThreadPoolExecutor):
    """Threads that drop what has not begun when their block is left, as after Ctrl-C.

    Threads are enough: reading, hashing and libsndfile all let go of the interpreter's lock.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, thread_name_prefix="read")

    def __exit__(self, *_: Any) -> None:
        """Wait for what is running alone."""
        self.shutdown(cancel_futures=True)


def file_states(pool: Pool, folder: Path, paths: Sequence[str]) -> Ints:
    """State of files.

    Args:
        pool: does the asking; many threads hide the latency of a shared file system.
        folder: that the paths are relative to.
        paths: of the files.

    Returns:
        Shape ``(paths, 3)``, columns ``STATE``: bytes, and times in nanoseconds; -1 where there
        is no such file.
    """
    starts = range(0, len(paths), AT_ONCE)
    parts = pool.map(lambda start: _some(str(folder), paths[start : start + AT_ONCE]), starts)
    return np.concatenate([np.empty((0, 3), np.int64), *parts])


def _some(folder: str, paths: Sequence[str]) -> Ints:
    found = np.full((len(paths), 3), -1, np.int64)
    for row, path in enumerate(paths):
        try:
            status = os.stat(f"{folder}/{path}")
        except OSError:
            continue
        found[row] = status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return found
