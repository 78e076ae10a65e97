"""Digests: what makes two recordings, manifests or splits the same."""

import hashlib
from pathlib import Path
from typing import BinaryIO, Final

import ser_pipeline
from ser_pipeline.records import DIGEST_BYTES

CHUNK_BYTES: Final = 1 << 18
"""Read at once, so that a long recording needs no more memory than a short one."""


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
    with path.open("rb") as file:
        return digest_stream(file)


def digest_stream(file: BinaryIO) -> str:
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
