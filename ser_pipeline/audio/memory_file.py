"""A file whose bytes lie in memory already, for a decoder that reads files."""

import os


class MemoryFile:
    """What libsndfile asks of a file: read into, seek, tell. Copies nothing beforehand.

    Examples:
        >>> file, part = MemoryFile(memoryview(b"RIFFdata")), bytearray(4)
        >>> file.seek(-4, os.SEEK_END), file.readinto(part), part
        (4, 4, bytearray(b'data'))
        >>> file.readinto(part)
        0
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._place = 0

    def readinto(self, part: memoryview) -> int:
        """Fill ``part`` as far as there are bytes, and say how many there were."""
        found = self._data[self._place : self._place + len(part)]
        part[: len(found)] = found
        self._place += len(found)
        return len(found)

    def read(self, count: int = -1) -> bytes:
        """The next ``count`` bytes, all that are left if negative."""
        stop = len(self._data) if count < 0 else self._place + count
        found = self._data[self._place : stop].tobytes()
        self._place += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place counted from the start, from here, or from the end; never before the start."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: len(self._data)}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def tell(self) -> int:
        """Place of the next byte."""
        return self._place
