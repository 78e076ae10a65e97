"""How many bytes a recording lacks by its own header.

libsndfile shortens a truncated file in silence, so the size the header announces is compared
with the file's own. WAV (also big-endian and 64-bit), AIFF, AU, CAF and Ogg say where their data
ends; for FLAC and MP3 the last frame is read instead (``probe.py``).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

MAX_CHUNKS: Final = 1000
"""More chunks than any real file has: a file of zeros must not be walked to its end."""

OGG_TAIL: Final = 65_307
"""Largest Ogg page: the last page starts at most this far from the end."""

UNKNOWN_SIZES: Final = {0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}
"""What writers to a pipe leave where the size should stand."""


@dataclass(frozen=True)
class Container:
    """How a file is cut into chunks.

    Attributes:
        first: position of the first chunk.
        head: layout of a chunk's head, name and length, as for ``struct``.
        data: name of the chunk that holds the samples.
        align: chunks start at multiples of this.
        inclusive: the length counts the head too.
    """

    first: int
    head: str
    data: bytes
    align: int = 1
    inclusive: bool = False


W64_TAIL: Final = bytes.fromhex("f3acd3118cd100c04f8edb8a")
WAV: Final = Container(12, "<4sI", b"data", align=2)

CONTAINERS: Final[dict[bytes, Container]] = {
    b"RIFF": WAV,
    b"RF64": WAV,
    b"RIFX": Container(12, ">4sI", b"data", align=2),
    b"FORM": Container(12, ">4sI", b"SSND", align=2),
    b"riff": Container(40, "<16sQ", b"data" + W64_TAIL, align=8, inclusive=True),
    b"caff": Container(8, ">4sQ", b"data"),
}
"""First four bytes of a file -> its chunks."""


def bytes_missing(file: BinaryIO, size: int) -> int:
    """Bytes between the end of a file and the end its header announces.

    Args:
        file: open for reading; its position is moved.
        size: of the file, in bytes.

    Returns:
        0 for a whole file, and for a container that does not say.

    Examples:
        >>> import io
        >>> header = b"RIFF" + (44).to_bytes(4, "little") + b"WAVE"
        >>> data = header + b"data" + (10).to_bytes(4, "little") + b"1234567"
        >>> bytes_missing(io.BytesIO(data), len(data))
        3
    """
    file.seek(0)
    mark = file.read(4)
    if mark == b"OggS":
        return _ogg(file, size)
    if mark == b".snd":
        return _au(file, size)
    container = CONTAINERS.get(mark)
    return _chunked(file, size, container) if container else 0


def _chunks(file: BinaryIO, size: int, container: Container) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the body and length of each chunk's body."""
    position = container.first
    width = struct.calcsize(container.head)
    for _ in range(MAX_CHUNKS):
        if position + width > size:
            return
        file.seek(position)
        name, length = struct.unpack(container.head, file.read(width))
        if container.inclusive:
            length = max(0, length - width)
        yield name, position + width, length
        position += width + length
        position += -position % container.align


def _chunked(file: BinaryIO, size: int, container: Container) -> int:
    long_length = 0
    for name, start, length in _chunks(file, size, container):
        if name == b"ds64" and start + 16 <= size:  # RF64 keeps its true length apart
            file.seek(start + 8)
            (long_length,) = struct.unpack("<Q", file.read(8))
        if name == container.data:
            announced = long_length if long_length and length == 0xFFFFFFFF else length
            return 0 if announced in UNKNOWN_SIZES else max(0, start + announced - size)
    return 0


def _au(file: BinaryIO, size: int) -> int:
    head = file.read(8)
    if len(head) < 8:
        return 0
    start, length = struct.unpack(">II", head)
    return 0 if length in UNKNOWN_SIZES else max(0, int(start + length - size))


def _ogg(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - OGG_TAIL))
    tail = file.read(OGG_TAIL)
    page = tail.rfind(b"OggS")
    if page < 0:
        return 0
    table = page + 27  # the fixed part of a page's head ends with the number of its segments
    if table > len(tail):
        return table - len(tail)
    segments = tail[table : table + tail[table - 1]]
    end = table + tail[table - 1] + sum(segments)
    return max(0, end - len(tail))
