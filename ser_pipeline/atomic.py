"""Files and folders that are whole or not there, written beside their target and renamed; and lock files."""

import errno
import glob
import os
import secrets
import shutil
import stat
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ser_pipeline.errors import SerError

if TYPE_CHECKING:
    import pyarrow as pa

TEMPORARY_SUFFIX = ".partial"
"""Ends the name of every file that is not finished; nothing reads these."""

_FLOCK = struct.Struct("@hhqqi4x")
"""Linux: kind of lock, origin, first byte, number of bytes, and a process that must be 0."""

_NO_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOTSUP}
"""What file systems answer that write names of files at once, or never at command."""

_TO_THE_END = 2**31 - 1
"""Windows: the greatest number of bytes that can be locked."""

_LOOK_AGAIN_S = 0.05
"""Windows cannot wait for a lock longer than ten seconds, so it is looked for this often."""


def is_plain(path: Path) -> bool:
    """Whether a path is a file of bytes, which opens at once: no pipe, device, socket or folder.

    Raises:
        OSError: nothing is there, or it may not be looked at.
    """
    return stat.S_ISREG(path.stat().st_mode)


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it into place at the end.

    The folder is made where it is missing. The bytes reach the disk before the rename, so a
    reader sees the old file or the new one, also after a power cut. If the block raises, the
    old file stays and the temporary one is removed.

    Args:
        path: the file to be.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with write_atomically(target) as part:
        ...     _ = part.write_text("whole")
        >>> target.read_text(), [p.name for p in target.parent.iterdir()]
        ('whole', ['a.txt'])
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _to_disk(temporary)
        os.replace(temporary, path)
        _to_disk(path.parent)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def remove_unfinished(path: Path) -> None:
    """Remove what writers of a file left beside it when they were killed.

    Args:
        path: of the file; nobody else may be writing it.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY_SUFFIX}"):
        with suppress(OSError):
            left.unlink()


def remove_file(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        SerError: its folder cannot be written to.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise explained(error, path) from None


def check_writable(folder: Path) -> None:
    """Find out before long work whether its results can be written to a folder.

    Raises:
        SerError: they cannot.
    """
    probe = folder / f".{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise explained(error, folder) from None


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Yield a folder beside ``out`` to write to; rename it into place at the end.

    If the block raises, nothing is left behind.

    Args:
        out: the folder to be; it may be there if it is empty.

    Raises:
        SerError: it holds something, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SerError(f"{out}: exists already; delete it, or choose another folder")
    if out.exists() and out.samefile(os.curdir):
        raise SerError(f"{out}: is the current folder, which cannot be replaced; name a new one in it")
    out = Path(os.path.abspath(out))
    temporary = out.with_name(f".{out.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if out.exists():
            out.rmdir()  # Windows renames over no folder, not even an empty one
        os.replace(temporary, out)
    except OSError as error:
        raise explained(error, out) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_parquet(path: Path, table: "pa.Table") -> None:
    """Write a table as Parquet, whole or not at all, compressed by zstd.

    Args:
        path: the file to be.
        table: its rows.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    import pyarrow.parquet as pq

    with write_atomically(path) as part:
        pq.write_table(table, part, compression="zstd")


@contextmanager
def lock_file(path: Path, taken: SerError | None, start: int = 0, count: int = 0) -> Iterator[None]:
    """Hold bytes of a lock file while the block runs, so that nobody else holds them meanwhile.

    The operating system frees what a process has locked when it ends, however it ends. On Linux a lock
    keeps out the other threads of its own process too.

    Args:
        path: of the file; it and its folder are made where they are missing.
        taken: raised where another holds one of the bytes; None waits until they are free.
        start: the first byte.
        count: of bytes; 0 holds all from ``start`` on.

    Raises:
        SerError: ``taken``, or the folder cannot be written to or has no locks.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise explained(error, path) from None
    try:
        _lock(handle, start, count, wait=taken is None)
    except OSError as error:
        os.close(handle)
        if taken is not None and error.errno in {errno.EACCES, errno.EAGAIN}:
            raise taken from None
        raise explained(error, path) from None
    try:
        yield
    finally:
        _unlock(handle, start, count)
        os.close(handle)


def _lock(handle: int, start: int, count: int, *, wait: bool) -> None:
    """Lock bytes for one handle where the system can, else for the process, which other threads share."""
    if sys.platform == "win32":
        import msvcrt

        while True:
            os.lseek(handle, start, os.SEEK_SET)
            try:
                return msvcrt.locking(handle, msvcrt.LK_NBLCK, _bytes_on_windows(start, count))
            except OSError as error:
                if not wait or error.errno not in {errno.EACCES, errno.EDEADLK}:
                    raise
            time.sleep(_LOOK_AGAIN_S)
    import fcntl

    command = getattr(fcntl, "F_OFD_SETLKW" if wait else "F_OFD_SETLK", None)
    if command is None:
        fcntl.lockf(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), count, start, os.SEEK_SET)
    else:
        fcntl.fcntl(handle, command, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, count, 0))


def _unlock(handle: int, start: int, count: int) -> None:
    """Free bytes where closing the file does not free them at once."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, start, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, _bytes_on_windows(start, count))


def _bytes_on_windows(start: int, count: int) -> int:
    return min(count or _TO_THE_END, _TO_THE_END - start)


def explained(error: OSError, path: Path) -> SerError:
    """Turn a failed write into one line that says what to do."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return SerError(
            f"{path}: no space left to write; nothing was lost: free some and run the same command again"
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return SerError(f"{path}: not writable; choose another folder or change its permissions")
    return SerError(f"{path}: cannot be written: {error.strerror or error}")


def _to_disk(path: Path) -> None:
    if sys.platform == "win32" and path.is_dir():
        return  # Windows opens no folder, and writes names of files at once
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC or not path.is_dir():
            raise
    finally:
        os.close(handle)
