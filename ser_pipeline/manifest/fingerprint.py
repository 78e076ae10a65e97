"""Find out quickly whether anything has changed since the last build.

A build leaves ``.build.json``: a digest over the names, sizes and times of all files below the
data folder (tables too), the options, and this package's own code. While it stays the same, and
the manifest is the one that was written, building again would write the same bytes.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Int64s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.corpora.files import states_in_store, walk
from ser_pipeline.manifest.digest import digest_file, source_digest
from ser_pipeline.records import DIGEST_BYTES
from ser_pipeline.remote.addresses import ABSENT, State, address_of, reading_order
from ser_pipeline.remote.opening import state_at

FINGERPRINT_NAME: Final = ".build.json"

READERS: Final = (
    "labels.py",
    "records.py",
    "corpora/*.py",
    "corpora/*.toml",
    "corpora/known/*.toml",
    "manifest/*.py",
    "audio/*.py",
)
"""The code that decides what a manifest holds."""


AT_ONCE: Final = 4096
"""Files per task; enough that handing out tasks costs nothing."""

STATE: Final = ("size", "mtime_ns", "ctime_ns")
"""Columns of :func:`file_states`; a program can set the second back, but not the third."""


class Pool(ThreadPoolExecutor):
    """Threads that drop what has not begun when their block is left, as after Ctrl-C.

    Threads are enough, because reading, hashing and libsndfile all release the interpreter's lock.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs, thread_name_prefix="read")

    def __exit__(self, *_: Any) -> None:
        """Wait only for what is running."""
        self.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class BuildFingerprint:
    """What the last build saw and wrote.

    Attributes:
        data: folder that held the corpora, as an absolute path.
        seen: digest of what was there, by :func:`inputs_digest`.
        outputs: file name -> digest of what was written.
        summary: the summary that was printed.
    """

    data: str
    seen: str
    outputs: Mapping[str, str]
    summary: Mapping[str, Any]

    def holds(self, folder: Path, seen: str) -> bool:
        """Whether building again from what is ``seen`` now would write what is there."""
        try:
            return self.seen == seen and all(
                digest_file(folder / name) == digest for name, digest in self.outputs.items()
            )
        except OSError:
            return False


def inputs_digest(
    data: Path, settings: Mapping[str, Any], *, jobs: int = 1, paths: Sequence[str] | None = None
) -> str:
    """Digest of everything a build depends on, without opening a recording.

    Args:
        data: folder that holds the corpora.
        settings: options that change what is written.
        jobs: files looked up at once.
        paths: of the files that count, absolute or relative to ``data``; None for all below it.

    Raises:
        CorpusError: ``data`` is not a folder, or a folder in it cannot be listed.
    """
    if paths is None:
        paths = [f"{folder.path}/{name}" for folder in walk(data) for name in folder.files]
    with Pool(jobs) as pool:
        states = file_states(pool, data, paths)
    made_by = {"code": source_digest(*READERS), "pyarrow": pa.__version__, "settings": dict(settings)}
    state = hashlib.blake2b(json.dumps(made_by, sort_keys=True).encode(), digest_size=DIGEST_BYTES)
    state.update("\0".join(paths).encode("utf-8", "surrogateescape"))
    state.update(states.tobytes())
    return state.hexdigest()


def read_fingerprint(folder: Path) -> BuildFingerprint | None:
    """Read the fingerprint beside a manifest; None where it is missing or cannot be read."""
    try:
        return BuildFingerprint(**json.loads((folder / FINGERPRINT_NAME).read_bytes()))
    except (OSError, TypeError, ValueError):
        return None


def write_fingerprint(folder: Path, fingerprint: BuildFingerprint) -> None:
    """Write the fingerprint beside a manifest.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    with write_atomically(folder / FINGERPRINT_NAME) as part:
        part.write_text(json.dumps(asdict(fingerprint), indent=1), encoding="utf-8", newline="\n")


def absolute(data: Path) -> str:
    """A folder's absolute path; links stay as they are."""
    return address_of(data) or os.path.abspath(data)


def file_states(pool: Pool, folder: Path, paths: Sequence[str]) -> Int64s:
    """State of files.

    Args:
        pool: does the asking; many threads hide the latency of a shared file system.
        folder: that the paths are relative to.
        paths: of the files.

    Returns:
        Shape ``(paths, 3)``, columns ``STATE``: bytes, and times in nanoseconds; -1 where there
        is no such file.
    """
    order = reading_order(paths)
    paths = [paths[place] for place in order]
    known = states_in_store(folder) if address_of(folder) is not None else None
    step = AT_ONCE if known is not None or not any(map(address_of, paths)) else AT_ONCE // 128
    starts = range(0, len(paths), step)
    parts = pool.map(lambda start: _some(str(folder), paths[start : start + step], known), starts)
    found = np.empty((len(paths), 3), np.int64)
    found[np.asarray(order, np.int64)] = np.concatenate([found[:0], *parts])
    return found


def _some(folder: str, paths: Sequence[str], known: Mapping[str, State] | None) -> Int64s:
    found = np.full((len(paths), 3), -1, np.int64)
    for row, path in enumerate(paths):
        if known is None or os.path.isabs(path) or address_of(path):
            found[row] = state_at(os.path.join(folder, path))
        else:
            found[row] = known.get(path.removeprefix("./"), ABSENT)
    return found
