"""Import librosa in one process at a time, until one has done it."""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Final

from ser_pipeline.atomic import lock_file
from ser_pipeline.dsp.kept import NUMBA, keep_in, temporary_folder, why_not_first
from ser_pipeline.errors import SettingsError

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
    _choose_folder()
    mark = _mark()
    if mark is None or mark.exists():
        return
    with lock_file(mark.with_suffix(".lock"), None):
        if not mark.exists():
            for name in _COMPILED_AT_IMPORT:
                importlib.import_module(name)
            mark.touch()


def _choose_folder() -> None:
    """Let numba keep librosa's code where nobody else can write; by itself it would take any folder or none.

    Raises:
        SettingsError: there is no such folder, without which librosa cannot be imported.
    """
    source = _source()
    if source is None or "librosa" in sys.modules:
        return
    folder = keep_in(source)
    if folder is None:
        raise SettingsError(
            f"librosa: its compiled code can be kept nowhere: {why_not_first(source)}; set NUMBA_CACHE_DIR "
            "to a folder of your own"
        )
    NUMBA.CACHE_DIR = "" if folder.name == "__pycache__" else str(folder.parent)


def _source() -> Path | None:
    found = importlib.util.find_spec("librosa")
    return None if found is None or found.origin is None else Path(found.origin)


def _mark() -> Path | None:
    """File that is there once librosa as installed now has been imported; None where none can be kept."""
    source, folder = _source(), temporary_folder()
    if source is None or folder is None:
        return None
    status = source.stat()
    installed = f"{source} {status.st_ino} {status.st_mtime_ns} {NUMBA.CACHE_DIR}"
    return folder / hashlib.blake2b(installed.encode(), digest_size=8).hexdigest()
