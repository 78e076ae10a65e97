"""Addresses of files: ``s3://bucket/a.wav``, or ``tar://a.wav::s3://bucket/a.tar`` inside an archive.

A path that has a part such as ``s3:`` is an address: it begins there, and what stands before it is where a
local archive that it names is looked for. So addresses pass through everything that joins and stores paths,
which makes one slash of two; :func:`address_of` gives them back as they were.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Final, NamedTuple

STORES: Final = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "http", "https")
"""Protocols that fsspec opens."""

ARCHIVES: Final = ("tar", "zip", "parquet")
"""Protocols of what lies in one file."""

WHOLE_BYTES: Final = 32 << 20
"""Files up to this size are read by one request."""

_PROTOCOL: Final = re.compile(rf"(?:^|(?<=/))((?:{'|'.join((*STORES, *ARCHIVES))}):)/")


_HALF: Final = re.compile(rf"\b((?:{'|'.join((*STORES, *ARCHIVES))}):)/(?!/)")


class State(NamedTuple):
    """What tells versions of a file apart; of an object the size and a number made of its etag or time."""

    size: int
    mtime_ns: int
    ctime_ns: int


ABSENT: Final = State(-1, -1, -1)


def address_of(place: str | PurePath) -> str | None:
    """The address that a path stands for; None for a file or folder of this machine.

    Examples:
        >>> address_of("s3://bucket/a.wav"), address_of(Path("DataSets") / "tar:/a.wav::s3:/bucket/a.tar")
        ('s3://bucket/a.wav', 'tar://a.wav::s3://bucket/a.tar')
        >>> address_of("wav/a.wav"), address_of(Path("/data/tar://a.wav::b.tar"))
        (None, 'tar://a.wav::/data/b.tar')
        >>> address_of(Path("s3://bucket/data") / "tar://a.wav::b.tar")
        'tar://a.wav::s3://bucket/data/b.tar'
    """
    text = str(place)
    if ":" not in text:
        return None
    first, *rest = text.replace("\\", "/").split("::")
    starts = [found.start(1) for found in _PROTOCOL.finditer(first)]
    if not starts:
        return None
    before, chain = first[: starts[-1]], [first[starts[-1] :], *rest]
    if rest and not _PROTOCOL.match(chain[-1]):
        chain[-1] = os.path.join(before, chain[-1])
        chain[-1] = address_of(chain[-1]) or chain[-1]
    return "::".join(re.sub(r"^([a-z0-9]+):/+", r"\1://", part) for part in chain)


def reading_order(paths: Sequence[str]) -> Sequence[int]:
    """Places of paths in the order in which to read them: all of an archive at once, rows from the first on.

    Paths of files come first and stay as they are.

    Examples:
        >>> reading_order(["parquet:/a/10::y", "b.wav", "parquet:/a/2::y", "parquet:/a/1::x"])
        [1, 3, 2, 0]
    """
    if not any("::" in path for path in paths):
        return range(len(paths))
    return sorted(range(len(paths)), key=lambda place: _place_in_archive(paths[place]))


def _place_in_archive(path: str) -> tuple[str, int]:
    cell, _, outer = path.partition("::")
    row = cell.rpartition("/")[2]
    return outer, int(row) if outer and row.isdecimal() else 0


def printable(text: str) -> str:
    r"""Write the bytes of a name that are not UTF-8 as ``\xe9``, so that it can be stored.

    Examples:
        >>> print(printable("caf\udce9.wav"))
        caf\xe9.wav
        >>> print(printable("ü 音.wav"))
        ü 音.wav
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shown(place: str | PurePath) -> str:
    """A path as people write it, which can be stored; of an address with both its slashes.

    Examples:
        >>> shown(Path("s3://bucket/a.wav")), shown(Path("a.wav"))
        ('s3://bucket/a.wav', 'a.wav')
    """
    return printable(address_of(place) or str(place))


def in_words(text: str) -> str:
    """A text in which addresses that went through paths have both their slashes again.

    Examples:
        >>> in_words("looking below s3:/bucket, and at https://a.org")
        'looking below s3://bucket, and at https://a.org'
    """
    return _HALF.sub(r"\1//", text) if ":/" in text else text


def is_folder(place: Path) -> bool:
    """Whether a place may hold recordings: a folder of this machine, or an address."""
    return address_of(place) is not None or place.is_dir()


def name_of(place: PurePath) -> str:
    """The name of a file for messages, which can be stored; of one in an archive its name there.

    Examples:
        >>> name_of(Path("wav/a.wav")), name_of(Path("tar:/anna/a.wav::s3:/bucket/a.tar"))
        ('a.wav', 'a.wav')
    """
    address = address_of(place)
    return printable(place.name if address is None else PurePath(address.partition("::")[0]).name)
