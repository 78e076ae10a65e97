"""Unpack an archive that cannot be trusted: nothing is written outside the folder, or without limit."""

import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import IO, Final

from ser_pipeline.atomic import explained
from ser_pipeline.errors import CorpusError
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import thousands

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
"""How the names of archives end."""

MOST_MEMBERS: Final = 2_000_000
"""No corpus of speech has more files."""

MOST_GROWTH: Final = 100
"""Recordings are never packed so well that they unpack to more than this many times their archive."""

LEAST_ROOM: Final = 64 << 20
"""Bytes that even a small archive may unpack to: tables are packed better than recordings."""

CHUNK_BYTES: Final = 1 << 20

_BROKEN: Final = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError,
    ValueError,
)  # fmt: skip
"""What the standard library raises for archives that are damaged, locked or packed in a rare way."""


@dataclass(frozen=True)
class _Member:
    """One thing in an archive.

    Attributes:
        name: as the archive says it.
        size: in bytes, unpacked.
        kind: ``file`` and ``folder`` are unpacked; anything else is refused.
        source: what its bytes are read from; None for a folder.
    """

    name: str
    size: int
    kind: str
    source: IO[bytes] | None = None


def is_archive(name: str) -> bool:
    """Whether a file's name ends like that of an archive.

    Examples:
        >>> is_archive("a.tar.GZ"), is_archive("a.wav")
        (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> int:
    """Unpack an archive into a folder, whole or not at all; files that are there are replaced.

    Args:
        archive: a ZIP file, or a tar file with any compression.
        folder: to unpack to, on the disk that holds the archive.

    Returns:
        Number of files.

    Raises:
        CorpusError: the archive is damaged or locked, holds a link, a device, a name twice or one that leads
            outside, or is too large.
        SerError: the folder cannot be written to, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(mkdtemp(prefix=".unpacking-", dir=archive.parent))
        try:
            count = _unpack_all(archive, staging)
            _merge(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except _BROKEN as error:
        raise CorpusError(f"{archive}: cannot be unpacked: {one_line(str(error))}") from None
    except OSError as error:
        if error.errno is None:  # how gzip and bz2 speak of damaged files
            raise CorpusError(f"{archive}: cannot be unpacked: {one_line(str(error))}") from None
        raise explained(error, folder) from None
    return count


def _unpack_all(archive: Path, staging: Path) -> int:
    free = shutil.disk_usage(staging).free
    most = max(LEAST_ROOM, MOST_GROWTH * archive.stat().st_size)
    used = count = 0
    with _members(archive) as members:
        for member in members:
            used += member.size
            count += member.kind == "file"
            if used > free:
                raise CorpusError(
                    f"{archive}: needs more than the {thousands(free)} bytes that are free beside it; "
                    "free some space and run the same command again"
                )
            if used > most or count > MOST_MEMBERS:
                raise CorpusError(f"{archive}: unpacks to far more than recordings do; nothing was unpacked")
            _write(archive, member, staging)
    return count


def _write(archive: Path, member: _Member, staging: Path) -> None:
    target = staging / _safe(archive, member)
    if member.source is None:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with member.source, target.open("xb") as file:
            shutil.copyfileobj(member.source, file, CHUNK_BYTES)
    except FileExistsError:
        raise CorpusError(f"{archive}: holds {one_line(member.name)!r} twice; nothing was unpacked") from None
    if target.stat().st_size != member.size:
        raise CorpusError(f"{archive}: {one_line(member.name)!r} is not as long as the archive says")


def _safe(archive: Path, member: _Member) -> PurePosixPath:
    """Path of a member below the folder."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", member.name)
    if member.kind not in ("file", "folder") or outside or "\0" in member.name:
        what = "leads outside its folder" if outside else f"is a {member.kind}"
        raise CorpusError(f"{archive}: {one_line(member.name)!r} {what}; nothing was unpacked")
    return path


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield _zipped(opened)
    else:
        with tarfile.open(archive) as opened_tar:
            yield _tarred(opened_tar)


def _zipped(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        if mode not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield _Member(info.filename, 0, "link" if stat.S_ISLNK(mode) else "device")
        elif info.is_dir():
            yield _Member(info.filename, 0, "folder")
        else:
            yield _Member(info.filename, info.file_size, "file", archive.open(info))


def _tarred(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if info.isdir():
            yield _Member(info.name, 0, "folder")
        elif info.isfile():
            yield _Member(info.name, info.size, "file", archive.extractfile(info))
        else:
            yield _Member(info.name, 0, "link" if info.issym() or info.islnk() else "device")


def _merge(staging: Path, folder: Path) -> None:
    """Move everything that was unpacked to where it belongs."""
    for path in sorted(staging.rglob("*")):
        target = folder / path.relative_to(staging)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)
