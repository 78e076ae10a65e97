"""The index of a store: which key lies in which row of which shard.

``index.parquet`` is only a summary of the shards' own key tables. It is rebuilt whenever a
shard's size or time of change differs from what it was when the index was written, reading
the tables of changed shards alone.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import SerError, StoreCorrupt
from ser_pipeline.store.identity import fingerprint
from ser_pipeline.store.plan import Key, one_shard
from ser_pipeline.store.shard import damaged, read_keys, read_rows, shard_number

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

_KEY = ["audio_digest", "variant", "aspect"]


@dataclass(frozen=True, slots=True)
class Index:
    """Rows of a store.

    Attributes:
        table: columns of :data:`SCHEMA`; failed recordings have row -1.
        damaged: one line for each shard that cannot be read; its rows are not in the table.
    """

    table: pa.Table
    damaged: tuple[str, ...] = ()

    def keys(self) -> frozenset[Key]:
        """Digest, variant and aspect of every row."""
        # in plain loops: given a Python number to compare with, Arrow loads pandas, half a second
        columns = (self.table[name].to_pylist() for name in (*_KEY, "failed"))
        return frozenset(
            (digest, variant, aspect)
            for digest, variant, aspect, bad in zip(*columns, strict=True)
            if not bad
        )

    def failures(self) -> dict[str, str]:
        """Digest -> reason of every recording that could not be used."""
        bad = self.table.filter(self.table["failed"])
        return dict(zip(bad["audio_digest"].to_pylist(), bad["reason"].to_pylist(), strict=True))


def read_index(folder: Path, *, write: bool = True) -> Index:
    """Read the index of a store, bringing it up to date with its shards.

    Args:
        folder: of the store.
        write: keep the renewed index, where the folder can be written to.
    """
    states = _file_states(folder)
    path = folder / "index.parquet"
    old, old_states = _read(path)
    if old is not None and old_states == states:
        return Index(old)
    changed = {name for name, state in states.items() if old_states.get(name) != state}
    parts, lost = [], []
    if old is not None:
        kept = [_number(name) for name in states if name not in changed]
        parts.append(old.filter(pc.is_in(old["shard"], pa.array(kept, pa.int32()))))
    for name in sorted(changed):
        try:
            parts.append(_rows_of(folder / name))
        except StoreCorrupt as error:
            lost.append(str(error))
        except FileNotFoundError:
            continue  # replaced by another build between listing and reading
    table = pa.concat_tables(parts) if parts else SCHEMA.empty_table()
    table = _first_of_each(table)
    if write and not lost and states:
        _write(path, table, states)
    return Index(table, tuple(lost))


def set_aside(path: Path) -> bool:
    """Rename a shard that cannot be used, so that its recordings are computed again.

    Args:
        path: of a shard that was found damaged; it is looked at again while no worker writes it, and stays
            if it is whole or gone by now.

    Returns:
        Whether it was renamed.
    """
    with one_shard(path.parent, shard_number(path)):
        try:
            _rows_of(path)
            read_rows(path)
        except StoreCorrupt:
            path.rename(path.with_suffix(".h5.damaged"))
            return True
        except FileNotFoundError:
            pass
    return False


def _first_of_each(table: pa.Table) -> pa.Table:
    """One row of each key, by shard and row: a good one before a failed one, an earlier before a later."""
    keys = table.select([*_KEY, "shard", "row", "failed"]).to_pandas()
    keys = keys.sort_values(["failed", "shard", "row"], kind="stable")
    keys = keys.drop_duplicates(_KEY, keep="first").sort_values(["shard", "row"])
    return table.take(pa.array(keys.index.to_numpy())).combine_chunks()


def _file_states(folder: Path) -> dict[str, list[int]]:
    states = {}
    for path in sorted(folder.glob("shard-*.h5")):
        status = path.stat()
        states[path.name] = [status.st_size, status.st_mtime_ns, status.st_ino]
    return states


def _number(name: str) -> int:
    return shard_number(Path(name))


def _read(path: Path) -> tuple[pa.Table | None, dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:  # pq.read_table would load pandas, half a second
            table = file.read()
        states = json.loads((table.schema.metadata or {})[b"shards"])
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None, {}  # only a summary: a missing or broken one is made again
    if table.schema.remove_metadata() != SCHEMA:
        return None, {}
    return table, states


def _rows_of(path: Path) -> pa.Table:
    keys = read_keys(path)
    if fingerprint(keys.described) != path.parent.name:
        raise damaged(path, "it was made with other settings or library versions than its store")
    number, good, bad = shard_number(path), len(keys.digests), len(keys.failed)
    columns: list[Iterable[Any]] = [
        [key.decode() for key in keys.digests] + [digest for digest, _ in keys.failed],
        keys.variants.tolist() + [0] * bad,
        [aspect.decode() for aspect in keys.aspects] + [""] * bad,
        [number] * (good + bad),
        list(range(good)) + [-1] * bad,
        keys.frames.tolist() + [0] * bad,
        keys.level_db.tolist() + [None] * bad,
        [False] * good + [True] * bad,
        [None] * good + [reason for _, reason in keys.failed],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _write(path: Path, table: pa.Table, states: dict[str, list[int]]) -> None:
    try:
        write_parquet(path, table.replace_schema_metadata({b"shards": json.dumps(states).encode()}))
    except SerError:
        return  # a read-only store works without: the index is then made at each opening
