"""Checksums of a shard: one for each row, one over its key tables."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ser_pipeline.store.shard import ShardRows

KEY_DTYPE = np.dtype("S32")
ASPECT_DTYPE = np.dtype("S8")

Values = npt.NDArray[np.floating]


def row_checksums(rows: "ShardRows") -> npt.NDArray[np.uint32]:
    """CRC-32 of each row, shape ``(rows,)``."""
    return np.array(
        [
            row_checksum(
                rows.values[i],
                rows.frames[i],
                rows.level_db[i],
                rows.digests[i],
                rows.variants[i],
                rows.aspects[i],
            )
            for i in range(len(rows))
        ],
        np.uint32,
    )


def row_checksum(
    values: Values, frames: Any, level_db: Any, digest: bytes, variant: Any, aspect: bytes
) -> int:
    """CRC-32 over one row's values and everything that is said of it."""
    numbers = (np.int16(frames), np.float32(level_db), np.int16(variant))
    head = b"".join([*(number.tobytes() for number in numbers), digest, b"/", aspect])
    return zlib.crc32(np.ascontiguousarray(values).data, zlib.crc32(head))


def key_checksum(
    digests: Any, variants: Any, aspects: Any, checksums: Any, failed: Sequence[tuple[str, str]]
) -> str:
    """BLAKE2b-128 over the tables that say which row is whose."""
    hashed = hashlib.blake2b(digest_size=16)
    tables = (
        digests.astype(KEY_DTYPE),
        variants.astype("<i2"),
        aspects.astype(ASPECT_DTYPE),
        checksums.astype("<u4"),
    )
    for table in tables:
        hashed.update(np.ascontiguousarray(table).tobytes())
    hashed.update(json.dumps([list(item) for item in failed]).encode())
    return hashed.hexdigest()
