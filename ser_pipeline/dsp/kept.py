"""Folders that machine code may be read from and kept in, for this user and no other.

numba keeps machine code as pickles, and reading a pickle runs what it says. So code is neither read from a
folder that another user can write to nor kept in one. librosa, whose loops are compiled when it is imported,
is imported by one process at a time until one has done it.
"""

import getpass
import hashlib
import importlib
import importlib.util
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from ser_pipeline.atomic import lock_file
from ser_pipeline.errors import SettingsError

numba: Any
try:
    import numba
except ModuleNotFoundError:  # the small install, which compiles nothing
    numba = None

NUMBA: Final[Any] = SimpleNamespace(CACHE_DIR="") if numba is None else numba.config
"""numba's settings, which its types do not name."""

_COMPILED_AT_IMPORT: Final = (
    "librosa.util.utils",
    "librosa.core.audio",
    "librosa.core.pitch",
    "librosa.beat",
)
"""Modules of librosa whose loops are compiled when they are imported."""


def places(source: Path) -> Iterator[Path]:
    """Folders for the machine code of a source file, the preferred one first.

    As numba has it: ``NUMBA_CACHE_DIR``, then beside the source, then the user's cache folder. A folder of
    this user's own in the system's folder for temporary files comes last, for where there is no home.

    Args:
        source: the file whose functions are compiled.
    """
    digest = hashlib.blake2b(os.fsencode(source.parent), digest_size=8).hexdigest()
    own = f"{source.parent.name}-{digest}"
    if NUMBA.CACHE_DIR:
        yield Path(NUMBA.CACHE_DIR).absolute() / own
    yield source.parent / "__pycache__"
    cache = Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache"))
    if cache.is_absolute() and cache.parent.is_dir():  # without a home, "~" stays what it is
        yield cache / "ser" / own
    temporary = temporary_folder()
    if temporary is not None:
        yield temporary / own


def temporary_folder() -> Path | None:
    """A folder of this user's own for temporary files, the same for all processes; None if there is none."""
    try:
        folder = Path(tempfile.gettempdir()) / f"ser-{os.getuid() if _owned() else getpass.getuser()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    if not _owned():
        return folder
    own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022
    return folder if own else None


@lru_cache(maxsize=256)
def distrusted(folder: Path, source: Path) -> str:
    """Why machine code in a folder could be another user's; "" if it cannot.

    This user, the administrator and the owner of the source file may write there: their code runs anyway. The
    folder is made if it can be, so that nobody else can make it later.

    Args:
        folder: of machine code.
        source: the file whose functions are compiled.
    """
    if not writable(folder) and not folder.is_dir():
        return f"{folder} cannot be made"
    if not _owned():
        return ""
    for place in (folder, *folder.parents):
        mode = place.resolve().stat().st_mode
        if mode & stat.S_IWOTH and (place == folder or not mode & stat.S_ISVTX):
            return f"{place} can be written to by every user; run 'chmod o-w {place}'"
    status = folder.resolve().stat()
    if status.st_uid not in {0, os.getuid(), source.stat().st_uid}:
        return f"{folder} belongs to another user"
    if status.st_mode & stat.S_IWGRP and not _of_one(status.st_gid, status.st_uid):
        return f"{folder} can be written to by a group of users; run 'chmod g-w {folder}'"
    return ""


def _owned() -> bool:
    """Whether files say who may write to them; Windows keeps each user's own folders to that user instead."""
    return hasattr(os, "getuid")


def _of_one(group: int, owner: int) -> bool:
    """Whether a group is the administrator's, or has only one user in it."""
    import grp
    import pwd

    if group == 0:
        return True
    try:
        user, members = pwd.getpwuid(owner), grp.getgrgid(group).gr_mem
    except KeyError:
        return False
    return user.pw_gid == group and not set(members) - {user.pw_name}


def writable(folder: Path) -> bool:
    """Whether files can be put into a folder, which is made if it can be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def keep_in(source: Path) -> Path | None:
    """The first folder that machine code of a source file can be kept in; None if there is none."""
    return next((each for each in places(source) if not distrusted(each, source) and writable(each)), None)


def why_not_first(source: Path) -> str:
    """Why machine code of a source file cannot be kept in the preferred folder."""
    first = next(places(source))
    return distrusted(first, source) or f"{first} cannot be written to"


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
            f"librosa: its compiled code cannot be stored anywhere: {why_not_first(source)}; set "
            "NUMBA_CACHE_DIR to a folder of your own"
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
