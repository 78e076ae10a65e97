"""One HDF5 shard: written whole, read row by row, checked by checksums.

Layout::

    /mels          float16 (rows, bands, frames)  contiguous, so that it can be mapped; or
    /features      float32 (rows, columns)        likewise, with /feature_name and /feature_unit; or
    /embeddings    float32 (rows, layers, poolings, width); or
    /steps         float16 (steps, layers, width) the rows one after another, /frames steps each
    /frames        int16   (rows,)                frames that hold sound
    /level_db      float32 (rows,)                level before levelling, dB of full scale
    /audio_digest  S32     (rows,)                key, with /variant and /aspect
    /variant       int16   (rows,)                0 is the clean clip
    /aspect        S8      (rows,)                modality, where the values depend on it; else empty
    /checksum      uint32  (rows,)                CRC-32 of the row's values, frames, level and key
    /failed_digest S32, /failed_reason            recordings that could not be used

Attributes of the file: ``schema``, ``kind``, ``values`` (name of the first), ``ragged`` where rows are,
``fingerprint``, ``provenance`` (JSON), ``tool_version``, ``key_checksum`` (BLAKE2b over the key tables).
"""

import binascii
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from ser_pipeline import __version__
from ser_pipeline.arrays import ByteStrings, Float32s, Floats, Int16s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import StoreCorrupt
from ser_pipeline.front_end import Layout
from ser_pipeline.manifest.digest import Digests
from ser_pipeline.store.identity import keyed

KEY_DTYPE = np.dtype("S32")
ASPECT_DTYPE = np.dtype("S8")

SCHEMA_VERSION = 2

PER_FOLDER = 1_000
"""Shards that lie in one folder."""

_FOLDER = "shards-"


@dataclass(frozen=True, slots=True)
class ShardRows:
    """Rows of a shard and the recordings that failed.

    Attributes:
        values: of the layout's type, shape ``(rows, ...)``; ``(sum of frames, ...)`` where rows are ragged.
        frames: int16, shape ``(rows,)``.
        level_db: float32, shape ``(rows,)``.
        digests: S32, shape ``(rows,)``.
        variants: int16, shape ``(rows,)``.
        aspects: S8, shape ``(rows,)``.
        failed: (digest, reason) of each recording that could not be used.
        ragged: rows have as many steps as frames.
    """

    values: Floats
    frames: Int16s
    level_db: Float32s
    digests: ByteStrings
    variants: Int16s
    aspects: ByteStrings
    failed: tuple[tuple[str, str], ...] = ()
    ragged: bool = False

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.digests)

    def keys(self) -> frozenset[tuple[str, int, str]]:
        """Digest, variant and aspect of every row."""
        rows = zip(self.digests.tolist(), self.variants.tolist(), self.aspects.tolist(), strict=True)
        return frozenset((digest.decode(), variant, aspect.decode()) for digest, variant, aspect in rows)

    def take(self, rows: Sequence[int], failed: tuple[tuple[str, str], ...]) -> "ShardRows":
        """Some of the rows, with other failures."""
        pick = np.asarray(rows, np.intp)
        return ShardRows(
            self._values_of(pick),
            self.frames[pick],
            self.level_db[pick],
            self.digests[pick],
            self.variants[pick],
            self.aspects[pick],
            failed,
            self.ragged,
        )

    def _values_of(self, rows: npt.NDArray[np.intp]) -> Floats:
        if not self.ragged:
            return self.values[rows]
        slices = row_slices(self.frames, ragged=True)
        return np.concatenate([self.values[:0], *(self.values[slices[row]] for row in rows.tolist())])


@dataclass(frozen=True, slots=True)
class ShardKeys:
    """What a shard holds, without its values.

    Attributes:
        digests: S32, shape ``(rows,)``.
        variants, aspects, frames, level_db, checksums: shape ``(rows,)``.
        failed: (digest, reason).
        shape: of one row, or of one step of it where rows are ragged.
        dtype: of the values.
        offset: where the values start in the file, in bytes.
        ragged: rows have as many steps as frames.
        described: provenance of the store.
    """

    digests: ByteStrings
    variants: Int16s
    aspects: ByteStrings
    frames: Int16s
    level_db: Float32s
    checksums: npt.NDArray[np.uint32]
    failed: tuple[tuple[str, str], ...]
    shape: tuple[int, ...]
    dtype: np.dtype[np.floating]
    offset: int | None
    described: dict[str, Any]
    ragged: bool = False


def packed_keys(rows: ShardRows | ShardKeys) -> Digests:
    """The key of every row as columns, shape ``(rows, 2)``."""
    aspects, of = np.unique(rows.aspects, return_inverse=True)
    digests = np.frombuffer(binascii.unhexlify(rows.digests.tobytes()), np.uint64).reshape(-1, 2)
    keys = keyed(digests, of, aspects.astype(str).tolist())
    return keyed(keys, rows.variants, range(1 + int(rows.variants.max(initial=0))))


def row_slices(frames: Int16s, ragged: bool) -> list[slice | int]:
    """Where each row lies in the values: one step of them, or as many as the row has frames.

    Examples:
        >>> row_slices(np.array([2, 1], np.int16), True), row_slices(np.array([2, 1], np.int16), False)
        ([slice(0, 2, None), slice(2, 3, None)], [0, 1])
    """
    if not ragged:
        return list(range(len(frames)))
    ends = np.cumsum(frames, dtype=np.int64).tolist()
    return [slice(first, last) for first, last in zip([0, *ends], ends, strict=False)]


def row_checksums(rows: "ShardRows") -> npt.NDArray[np.uint32]:
    """CRC-32 of each row, shape ``(rows,)``."""
    return np.array(
        [
            row_checksum(
                rows.values[place],
                rows.frames[i],
                rows.level_db[i],
                rows.digests[i],
                rows.variants[i],
                rows.aspects[i],
            )
            for i, place in enumerate(row_slices(rows.frames, rows.ragged))
        ],
        np.uint32,
    )


def row_checksum(
    values: Floats, frames: Any, level_db: Any, digest: bytes, variant: Any, aspect: bytes
) -> int:
    """CRC-32 over one row's values and all its other fields."""
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


def shard_path(folder: Path, number: int) -> Path:
    """Path of a shard by its number.

    The first :data:`PER_FOLDER` shards lie in the store's folder, as all shards of earlier versions do; the
    others in sub-folders of as many, such as ``shards-02000``, so that no folder holds very many files.
    """
    path = folder / f"shard-{number:05d}.h5"
    first = number - number % PER_FOLDER
    return path if not first or path.exists() else folder / f"{_FOLDER}{first:05d}" / path.name


def shard_paths(folder: Path) -> list[Path]:
    """Paths of all shards of a store, by number; where two have one number, the one in the store's folder.

    A file of another name, as a copy that a file manager made, is not a shard.
    """
    files = (*folder.glob(f"{_FOLDER}*/shard-*.h5"), *folder.glob("shard-*.h5"))
    found = {shard_number(path): path for path in files if path.stem.removeprefix("shard-").isdecimal()}
    return [path for _, path in sorted(found.items())]


def shard_number(path: Path) -> int:
    """Number of a shard by its path."""
    return int(path.stem.removeprefix("shard-"))


def store_of(path: Path) -> Path:
    """Folder of the store that a shard belongs to."""
    return path.parent.parent if path.parent.name.startswith(_FOLDER) else path.parent


def joined(parts: Sequence[ShardRows]) -> ShardRows:
    """Put rows after each other; a recording that has a row no longer counts as failed."""
    digests = np.concatenate([part.digests for part in parts])
    present = {key.decode() for key in digests}
    failed = {digest: reason for part in parts for digest, reason in part.failed if digest not in present}
    return ShardRows(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.frames for part in parts]),
        np.concatenate([part.level_db for part in parts]),
        digests,
        np.concatenate([part.variants for part in parts]),
        np.concatenate([part.aspects for part in parts]),
        tuple(sorted(failed.items())),
        parts[0].ragged,
    )


def write_shard(path: Path, rows: ShardRows, *, layout: Layout, name: str, described: dict[str, Any]) -> None:
    """Write a shard whole, beside its target, then rename it into place.

    Args:
        path: of the shard.
        rows: all of it.
        layout: type, unit and column names of the values.
        name: fingerprint of the store.
        described: provenance of the store.

    Raises:
        SerError: disk full or folder not writable; what stood there before is untouched.
    """
    # made in memory: HDF5 itself crashes at exit when a disk is full
    image = _image(rows, layout, name, described)
    with write_atomically(path) as part:
        part.write_bytes(image)


def _image(rows: ShardRows, layout: Layout, name: str, described: dict[str, Any]) -> bytes:
    checksums = row_checksums(rows)
    with h5py.File("shard", "w", driver="core", backing_store=False, libver="latest") as file:
        file.attrs["schema"] = SCHEMA_VERSION
        file.attrs["kind"] = described["kind"]
        file.attrs["values"] = layout.values
        if layout.ragged:
            file.attrs["ragged"] = True
        file.attrs["fingerprint"] = name
        file.attrs["provenance"] = json.dumps(described, sort_keys=True)
        file.attrs["tool_version"] = __version__
        file.attrs["key_checksum"] = key_checksum(
            rows.digests, rows.variants, rows.aspects, checksums, rows.failed
        )
        _dataset(file, layout.values, rows.values.astype(layout.dtype, copy=False), layout.unit)
        _dataset(file, "frames", rows.frames, "frames that hold sound")
        _dataset(file, "level_db", rows.level_db, "dB of full scale, before levelling")
        _dataset(file, "audio_digest", rows.digests.astype(KEY_DTYPE), "BLAKE2b-128 of the recording's bytes")
        _dataset(file, "variant", rows.variants, "0 is the clean clip")
        _dataset(file, "aspect", rows.aspects.astype(ASPECT_DTYPE), "modality, where the values depend on it")
        _dataset(file, "checksum", checksums, "CRC-32")
        _texts(file, "feature_name", layout.names)
        _texts(file, "feature_unit", layout.units)
        failed = [digest for digest, _ in rows.failed]
        reasons = [reason for _, reason in rows.failed]
        _dataset(file, "failed_digest", np.array(failed, KEY_DTYPE), "recordings that could not be used")
        _texts(file, "failed_reason", reasons)
        file.flush()
        image: bytes = file.id.get_file_image()
    return image


def _dataset(file: h5py.File, name: str, data: npt.NDArray[Any], unit: str) -> None:
    file.create_dataset(name, data=data, track_times=False).attrs["unit"] = unit


def _texts(file: h5py.File, name: str, texts: Sequence[str]) -> None:
    """Strings of any length; a table without any is left out, but for the reasons."""
    if texts or name == "failed_reason":
        file.create_dataset(name, data=list(texts), dtype=h5py.string_dtype(), shape=(len(texts),))


def read_keys(path: Path) -> ShardKeys:
    """Read and check everything of a shard but its values.

    Raises:
        StoreCorrupt: not HDF5, tables missing or other than written, or of another version.
    """
    try:
        with h5py.File(path, "r") as file:
            if int(file.attrs["schema"]) != SCHEMA_VERSION:
                raise StoreCorrupt(
                    f"{path}: shard of version {file.attrs['schema']}, this is {SCHEMA_VERSION}; "
                    "delete the folder and build it again"
                )
            failed_digests = [key.decode() for key in file["failed_digest"][()]]
            reasons = [str(reason) for reason in file["failed_reason"].asstr()[()]]
            values = file[str(file.attrs["values"])]
            keys = ShardKeys(
                file["audio_digest"][()],
                file["variant"][()],
                file["aspect"][()],
                file["frames"][()],
                file["level_db"][()],
                file["checksum"][()],
                tuple(zip(failed_digests, reasons, strict=True)),
                tuple(values.shape[1:]),
                values.dtype,
                values.id.get_offset(),
                json.loads(file.attrs["provenance"]),
                bool(file.attrs.get("ragged", False)),
            )
            total = int(values.shape[0])
            written = str(file.attrs["key_checksum"])
    except FileNotFoundError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise damaged(path, f"{type(error).__name__} while reading its tables") from None
    if written != key_checksum(keys.digests, keys.variants, keys.aspects, keys.checksums, keys.failed):
        raise damaged(path, "its key table is not the one that was written")
    wanted = int(keys.frames.sum(dtype=np.int64)) if keys.ragged else len(keys.digests)
    if total != wanted:
        raise damaged(path, f"{total} rows of values where its tables say {wanted}")
    return keys


def read_rows(path: Path) -> ShardRows:
    """Read a whole shard and check every row.

    Raises:
        StoreCorrupt: any byte differs from what was written.
    """
    keys = read_keys(path)
    try:
        with h5py.File(path, "r") as file:
            values = file[str(file.attrs["values"])][()]
    except (OSError, KeyError) as error:
        raise damaged(path, f"{type(error).__name__} while reading its values") from None
    rows = ShardRows(
        values,
        keys.frames,
        keys.level_db,
        keys.digests,
        keys.variants,
        keys.aspects,
        keys.failed,
        keys.ragged,
    )
    wrong = np.flatnonzero(row_checksums(rows) != keys.checksums)
    if wrong.size:
        raise damaged(path, f"{wrong.size} of {len(rows)} rows differ from what was written")
    return rows


def damaged(path: Path, what: str) -> StoreCorrupt:
    """The error for a shard whose bytes cannot be trusted."""
    return StoreCorrupt(f"{path}: damaged: {what}; run 'ser cache verify --repair', then build again")
