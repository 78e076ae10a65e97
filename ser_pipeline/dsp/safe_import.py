"""Import librosa in one process at a time, until one has done it."""

import fcntl
import hashlib
import importlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Final

_COMPILED_AT_IMPORT: Final = (
    "librosa.util.utils",
    "librosa.core.audio",
    "librosa.core.pitch",
    "librosa.beat",
)
"""Modules of librosa whose loops are compiled when they are imported."""


def prepare_librosa() -> None:
    """Call this before anything that imports librosa, as noisereduce and audiomentations do.

    librosa compiles loops when it is first imported and keeps them on disk in pairs of files. Two
    processes that do so at once can leave a pair of which each wrote one file; every later process
    then crashes without a message (numba's issue 10128). So the first process imports it here and the
    others wait; once one has finished, this costs nothing.
    """
    mark = _mark()
    if mark is None or mark.exists():
        return
    with mark.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            for name in _COMPILED_AT_IMPORT:
                importlib.import_module(name)
            mark.touch()


def _mark() -> Path | None:
    """File that is there once librosa as installed now has been imported; None where none can be kept."""
    found = importlib.util.find_spec("librosa")
    if found is None or found.origin is None:
        return None
    status = os.stat(found.origin)
    installed = f"{found.origin} {status.st_ino} {status.st_mtime_ns}"
    name = hashlib.blake2b(installed.encode(), digest_size=8).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"ser-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return folder / name if folder.stat().st_uid == os.getuid() else None
