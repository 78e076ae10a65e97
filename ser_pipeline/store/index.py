"""The index of a store: which key lies in which row of which shard.

``index.parquet`` is only a summary of the shards' own key tables. It is rebuilt whenever a
shard's size or time of change differs from what it was when the index was written, reading
the tables of changed shards alone.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.arrays import numbers_of
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import SerError, StoreCorrupt, StoreError, StoreUnfinished
from ser_pipeline.manifest.digest import Digests, first_of_each, packed, packed_texts, unpacked
from ser_pipeline.store.identity import fingerprint, keyed
from ser_pipeline.store.mirror import Mirror
from ser_pipeline.store.plan import one_shard
from ser_pipeline.store.shard import (
    damaged,
    read_keys,
    read_rows,
    shard_number,
    shard_paths,
    store_of,
)

SCHEMA = pa.schema(
    [
        ("audio_digest", pa.string()),
        ("variant", pa.int16()),
        ("aspect", pa.string()),
        ("shard", pa.int32()),
        ("row", pa.int32()),
        ("frames", pa.int16()),
        ("level_db", pa.float32()),
        ("failed", pa.bool_()),
        ("reason", pa.string()),
    ]
)
"""Columns of the file."""

KEYS = ("audio_digest", "variant", "aspect", "failed", "reason")
"""Columns that say which recordings there are."""

_HELD = SCHEMA.set(0, pa.field("audio_digest", pa.binary(16)))

_GROUP = 1 << 20
"""Rows that are written at once."""


@dataclass(frozen=True, slots=True)
class Index:
    """Rows of a store.

    Attributes:
        table: columns of :data:`SCHEMA`, digests as 16 bytes; failed recordings have row -1.
        damaged: path of each shard that cannot be read, and one line on it; its rows are not in the table.
    """

    table: pa.Table
    damaged: tuple[tuple[Path, str], ...] = ()

    @classmethod
    def empty(cls) -> "Index":
        """That of a store without shards."""
        return cls(_HELD.empty_table())

    @property
    def digests(self) -> Digests:
        """Digest of each row, shape ``(rows, 2)``."""
        return _digests(self.table)

    def usable(self) -> "Index":
        """Without the recordings that failed."""
        if not pc.any(self.table["failed"]).as_py():
            return self
        return Index(self.table.filter(pc.invert(self.table["failed"])), self.damaged)

    def recordings(self) -> Digests:
        """Keys of the rows but for their variants, shape ``(rows, 2)``."""
        aspects = self.table["aspect"].combine_chunks().dictionary_encode()
        of = numbers_of(pa.chunked_array([aspects.indices]), np.int32)
        return keyed(self.digests, of, aspects.dictionary.to_pylist())

    def keys(self) -> Digests:
        """Keys of the rows, shape ``(rows, 2)``."""
        variants = numbers_of(self.table["variant"], np.int16)
        return keyed(self.recordings(), variants, range(1 + int(variants.max(initial=0))))

    def failures(self) -> dict[str, str]:
        """Digest -> reason of every recording that could not be used."""
        bad = self.table.filter(self.table["failed"])
        return dict(zip(unpacked(_digests(bad)).to_pylist(), bad["reason"].to_pylist(), strict=True))


def read_index(folder: Path, *, write: bool = True, columns: Sequence[str] = SCHEMA.names) -> Index:
    """Read the index of a store, bringing it up to date with its shards.

    Args:
        folder: of the store.
        write: keep the renewed index, where the folder can be written to.
        columns: that are needed; an index that must be renewed has all of them.
    """
    mirror = Mirror.of(folder)
    if mirror is not None:
        return _of_address(mirror, columns)
    paths, states = [], dict[str, list[int]]()
    for path in shard_paths(folder):
        with suppress(FileNotFoundError):  # gone between listing and looking
            states[path.name] = _state(path)
            paths.append(path)
    known = _read(folder / "index.parquet", columns)
    if known.shards == states:
        return Index(known.table)
    changed = [path for path in paths if known.shards.get(path.name) != states[path.name]]
    same = [shard_number(path) for path in paths if known.shards.get(path.name) == states[path.name]]
    parts, lost = [_HELD.empty_table()], []
    if same:
        table = _read(folder / "index.parquet", SCHEMA.names).table
        parts.append(table.filter(pc.is_in(table["shard"], pa.array(same, pa.int32()))))
    for path in changed:
        try:
            parts.append(_rows_of(path))
        except StoreCorrupt as error:
            lost.append((path, str(error)))
        except FileNotFoundError:
            continue  # replaced by another build between listing and reading
    index = Index(_first_of_each(pa.concat_tables(parts)), tuple(lost))
    if write and not lost and states:
        _write(folder / "index.parquet", index, states)
    return index


def _of_address(mirror: Mirror, columns: Sequence[str]) -> Index:
    known = _read(mirror.folder / "index.parquet", columns)
    if {name: state[0] for name, state in known.shards.items()} != mirror.sizes:
        raise StoreUnfinished(
            f"{mirror.address}: its index is not that of its shards; run the build again that was to upload "
            "it, or upload the whole folder after 'ser cache merge'"
        )
    return Index(known.table)


def set_aside(path: Path) -> bool:
    """Rename a shard that cannot be used, so that its recordings are computed again.

    Args:
        path: of a shard that was found damaged; it is looked at again while no worker writes it, and stays
            if it is whole or gone by now.

    Returns:
        Whether it was renamed.
    """
    with one_shard(store_of(path), shard_number(path)):
        try:
            _rows_of(path)
            read_rows(path)
        except StoreCorrupt:
            path.replace(path.with_suffix(".h5.damaged"))
            return True
        except FileNotFoundError:
            pass
    return False


def _digests(table: pa.Table) -> Digests:
    return numbers_of(table["audio_digest"], np.uint64).reshape(-1, 2)


def _with_digests(digests: Digests, others: pa.Table) -> pa.Table:
    column = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(digests), [None, pa.py_buffer(digests)])
    return others.add_column(0, _HELD.field(0), column)


def _first_of_each(table: pa.Table) -> pa.Table:
    """One row of each key, by shard and row: a good one before a failed one, an earlier before a later."""
    row, shard = (numbers_of(table[name], np.int32) for name in ("row", "shard"))
    failed = numbers_of(table["failed"].cast(pa.uint8()), np.uint8)
    order = np.lexsort((row, shard, failed))
    keys = Index(table).keys()[order]
    kept = order[first_of_each(keys)]
    kept = kept[np.lexsort((row[kept], shard[kept]))]
    whole = np.array_equal(kept, np.arange(len(table)))
    return table if whole else table.take(pa.array(kept))


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was written of shards: columns of their rows, and the size and times of each by its name."""

    table: pa.Table
    shards: dict[str, list[int]]


def _read(path: Path, columns: Sequence[str]) -> _Known:
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # pq.read_table would load pandas, half a second
            states = json.loads((file.schema_arrow.metadata or {})[b"shards"])
            if file.schema_arrow.remove_metadata() == SCHEMA:
                digests = packed(batch.column(0) for batch in file.iter_batches(columns=["audio_digest"]))
                others = file.read([name for name in columns if name != "audio_digest"])
                return _Known(_with_digests(digests, others.replace_schema_metadata(None)), states)
    except (OSError, KeyError, ValueError, pa.ArrowException, StoreError):
        pass  # only a summary: a missing or broken one is made again
    return _Known(_HELD.empty_table(), {})


def _rows_of(path: Path) -> pa.Table:
    keys = read_keys(path)
    if fingerprint(keys.described) != store_of(path).name:
        raise damaged(path, "it was made with other settings or library versions than its store")
    good, bad = len(keys.digests), len(keys.failed)
    failed = np.repeat([False, True], [good, bad])
    digests = [*keys.digests.astype(str).tolist(), *(digest for digest, _ in keys.failed)]
    columns = [
        np.append(keys.variants, np.zeros(bad, np.int16)),
        [*keys.aspects.astype(str).tolist(), *[""] * bad],
        np.full(good + bad, shard_number(path)),
        np.append(np.arange(good), np.full(bad, -1)),
        np.append(keys.frames, np.zeros(bad, np.int16)),
        pa.array(np.append(keys.level_db, np.zeros(bad, np.float32)), mask=failed),
        failed,
        [*[None] * good, *(reason for _, reason in keys.failed)],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, [*SCHEMA][1:], strict=True)]
    others = pa.Table.from_arrays(arrays, schema=pa.schema([*SCHEMA][1:]))
    return _with_digests(packed_texts(digests), others)


def _write(path: Path, index: Index, states: dict[str, list[int]]) -> None:
    schema = SCHEMA.with_metadata({b"shards": json.dumps(states).encode()})
    table, digests = index.table, index.digests
    try:
        with write_atomically(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as file:
            for start in range(0, max(1, len(table)), _GROUP):
                texts = unpacked(digests[start : start + _GROUP])
                file.write_table(table.slice(start, _GROUP).set_column(0, SCHEMA.field(0), texts))
    except SerError:
        return  # a read-only store works without: the index is then made at each opening
