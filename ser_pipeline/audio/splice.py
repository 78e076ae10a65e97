"""Files as they are read: a window on their bytes, and one that is put together from parts of another."""

import os
from typing import Final, Protocol

_BLOCKS: Final = (1 << 11, 1 << 16)
"""Bytes read at first, which are enough for most heads, and the most that are read at once."""


class Source(Protocol):
    """What is asked of a file of bytes."""

    def read(self, count: int = -1, /) -> bytes:
        """Give the next bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""

    def readinto(self, part: memoryview, /) -> int:
        """Fill ``part`` as far as there are bytes, and say how many there were."""


class Bytes:
    """Bytes of a file by their place, read in blocks that grow.

    Args:
        file: open for reading; its position is moved.
        stop: nothing from this place on is given.

    Examples:
        >>> import io
        >>> at = Bytes(io.BytesIO(b"abcdef"), 5)
        >>> at(1, 2), at(3, 9), at(7, 1)
        (b'bc', b'de', b'')
    """

    def __init__(self, file: Source, stop: int) -> None:
        self.stop = stop
        self._file = file
        self._start = 0
        self._block = b""
        self._size = _BLOCKS[0]

    def __call__(self, place: int, count: int) -> bytes:
        """The ``count`` bytes from ``place``, fewer at the end."""
        offset = place - self._start
        count = min(count, self.stop - place)
        if place < 0 or count <= 0:
            return b""
        if offset < 0 or offset + count > len(self._block):
            self._file.seek(place)
            self._block, self._start, offset = self._file.read(max(count, self._size)), place, 0
            self._size = min(2 * self._size, _BLOCKS[1])
        return self._block[offset : offset + count]


class Spliced:
    """A file that begins with other bytes, and goes on with parts of another file.

    Args:
        head: first bytes.
        file: the other; its position is moved.
        parts: start and stop of each, in bytes.

    Examples:
        >>> import io
        >>> file = Spliced(b"RIFF", io.BytesIO(b"0123456789"), [(2, 4), (8, 10)])
        >>> file.read(), file.seek(5), file.read(2), file.tell(), file.seek(0, os.SEEK_END)
        (b'RIFF2389', 5, b'38', 7, 8)
    """

    def __init__(
        self, head: bytes, file: Source, parts: "list[tuple[int, int]] | tuple[tuple[int, int], ...]"
    ) -> None:
        self._pieces: list[tuple[int, int, int]] = [(0, len(head), -1)]
        for start, stop in parts:
            begins = self._pieces[-1][1]
            self._pieces.append((begins, begins + stop - start, start))
        self._head = head
        self._file = file
        self._place = 0

    def readinto(self, part: memoryview) -> int:
        """Fill ``part`` as far as there are bytes, and say how many there were."""
        for begins, ends, origin in self._pieces:
            if origin >= 0 and begins <= self._place and self._place + len(part) <= ends:
                self._file.seek(origin + self._place - begins)
                count = self._file.readinto(part)
                self._place += count
                return count
        found = self.read(len(part))
        part[: len(found)] = found
        return len(found)

    def read(self, count: int = -1, /) -> bytes:
        """The next ``count`` bytes, all that are left if negative."""
        end = self._pieces[-1][1]
        stop = end if count < 0 else min(end, self._place + count)
        found = []
        for begins, ends, origin in self._pieces:
            start, to = max(begins, self._place), min(ends, stop)
            if start < to:
                found.append(self._piece(origin, start - begins, to - begins))
        joined = b"".join(found)
        self._place += len(joined)
        return joined

    def _piece(self, origin: int, start: int, stop: int) -> bytes:
        if origin < 0:
            return self._head[start:stop]
        self._file.seek(origin + start)
        return self._file.read(stop - start)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place counted from the start, from here, or from the end; never before the start."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._pieces[-1][1]}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def tell(self) -> int:
        """Place of the next byte."""
        return self._place
