"""Files that are whole or not there: written beside their target, then renamed; and lock files."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ser_pipeline.errors import SerError

if TYPE_CHECKING:
    import pyarrow as pa

TEMPORARY_SUFFIX = ".partial"
"""Ends the name of every file that is not finished; nothing reads these."""


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
def lock_file(path: Path) -> Iterator[int]:
    """Hold a lock file open while the block runs; the block takes the lock itself.

    The operating system frees what a process has locked when it ends, however it ends.

    Args:
        path: of the file; it and its folder are made where they are missing.

    Yields:
        A handle for ``fcntl.lockf``.

    Raises:
        SerError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise explained(error, path) from None
    try:
        yield handle
    finally:
        os.close(handle)


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
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
