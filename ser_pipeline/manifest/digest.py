"""Digests: what makes two recordings, manifests or splits the same; and very many of them as columns."""

import binascii
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

import ser_pipeline
from ser_pipeline.arrays import Bools, Int64s
from ser_pipeline.errors import ManifestError
from ser_pipeline.records import DIGEST_BYTES
from ser_pipeline.remote.opening import opened_bytes

Digests = npt.NDArray[np.uint64]
"""Digests as numbers, 16 bytes each, shape ``(n, 2)``."""

CHUNK_BYTES: Final = 1 << 18
"""Read at once, so that a long recording needs no more memory than a short one."""

_BLOCK: Final = 1 << 20
"""Digests that are converted or looked up at once."""


def digest_bytes(data: bytes) -> str:
    """BLAKE2b of some bytes.

    Returns:
        32 hexadecimal digits.

    Examples:
        >>> digest_bytes(b"")
        'cae66941d9efbd404e4d88758ea67670'
    """
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()


def digest_file(path: Path) -> str:
    """BLAKE2b of a file's bytes; equals :func:`digest_bytes` of them.

    Raises:
        OSError: the file cannot be read.
    """
    with opened_bytes(path, whole=False) as file:
        return digest_stream(file)


def digest_stream(file: IO[bytes]) -> str:
    """BLAKE2b of what is left to read of an open file, read chunk by chunk."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    while chunk := file.read(CHUNK_BYTES):
        state.update(chunk)
    return state.hexdigest()


def source_digest(*patterns: str) -> str:
    """Digest of this package's version and of some of its source files.

    Args:
        patterns: of paths below the package, as for ``Path.glob``.
    """
    state = hashlib.blake2b(ser_pipeline.__version__.encode(), digest_size=DIGEST_BYTES)
    package = Path(ser_pipeline.__file__).parent
    for pattern in patterns:
        for path in sorted(package.glob(pattern)):
            state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()


def packed(digests: Iterable[pa.Array]) -> Digests:
    """Digests of recordings as numbers, 16 bytes each.

    Args:
        digests: texts of 32 hexadecimal digits, as the chunks of a column.

    Raises:
        ManifestError: a text is not a digest.

    Examples:
        >>> packed([pa.array(["0" * 31 + "1", "f" * 32])]).shape
        (2, 2)
    """
    found = bytearray()
    for part in digests:
        for start in range(0, len(part), _BLOCK):
            some = part.slice(start, _BLOCK)
            try:
                texts = some.cast(pa.binary()).cast(pa.binary(32)).buffers()[1]
                found += binascii.unhexlify(texts[: 32 * len(some)])
            except (pa.ArrowInvalid, binascii.Error):
                raise _no_digest() from None
    return np.frombuffer(found, np.uint64).reshape(-1, 2)


def packed_texts(digests: Sequence[str]) -> Digests:
    """The same of texts in a list.

    Raises:
        ManifestError: a text is not a digest.
    """
    try:
        if any(len(digest) != 32 for digest in digests):
            raise _no_digest()
        return np.frombuffer(binascii.unhexlify("".join(digests)), np.uint64).reshape(-1, 2)
    except ValueError:
        raise _no_digest() from None


def _no_digest() -> ManifestError:
    return ManifestError("a digest is not 32 hexadecimal digits; run 'ser manifest build'")


def unpacked(digests: Digests) -> pa.Array:
    """The texts of digests again."""
    texts = np.ascontiguousarray(digests).tobytes().hex().encode()
    ends = 32 * np.arange(len(digests) + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(len(digests), pa.py_buffer(ends), pa.py_buffer(texts))


class Places:
    """Where keys stand in an array of them.

    Args:
        keys: shape ``(n, 2)``; of equal ones the first counts.

    Attributes:
        keys: the same.

    Examples:
        >>> keys = packed([pa.array(["0" * 31 + digit for digit in "2101"])])
        >>> Places(keys).find(keys[[1, 3]]).tolist(), Places(keys[:1]).find(keys).tolist()
        ([1, 1], [0, -1, -1, -1])
    """

    def __init__(self, keys: Digests) -> None:
        self.keys = keys
        folded = _folded(keys)
        self._order = np.argsort(folded, kind="stable").astype(np.uint32)
        self._folded = folded[self._order]

    @property
    def distinct(self) -> bool:
        """No two keys are the same; also False where two only fold into one number."""
        return bool((self._folded[1:] != self._folded[:-1]).all())

    def find(self, wanted: Digests) -> Int64s:
        """Place of each wanted key, -1 where it is not there; shape ``(len(wanted),)``."""
        found = np.full(len(wanted), -1, np.int64)
        for start in range(0, len(wanted), _BLOCK):
            self._look_up(wanted[start : start + _BLOCK], found[start : start + _BLOCK])
        return found

    def _look_up(self, wanted: Digests, found: Int64s) -> None:
        folded = _folded(wanted)
        left = np.argsort(folded)  # in order, what is looked at lies in the processor's cache
        place = np.searchsorted(self._folded, folded[left])
        while left.size:  # more than once only where different keys fold into one number
            there = place < len(self._folded)
            there[there] = self._folded[place[there]] == folded[left[there]]
            left, place = left[there], place[there]
            number = self._order[place]
            same = (self.keys[number] == wanted[left]).all(axis=1)
            found[left[same]] = number[same]
            left, place = left[~same], place[~same] + 1


def first_of_each(keys: Digests) -> Bools:
    """Whether no earlier key is the same, shape ``(n,)``."""
    places = Places(keys)
    if places.distinct:
        return np.ones(len(keys), np.bool_)
    return np.equal(places.find(keys), np.arange(len(keys)))


def _folded(keys: Digests) -> npt.NDArray[np.uint64]:
    """One number of each key, shape ``(n,)``; sums wrap around on purpose."""
    mixed: npt.NDArray[np.uint64] = keys[:, 0] + keys[:, 1] * np.uint64(0x9E3779B97F4A7C15)
    return mixed
