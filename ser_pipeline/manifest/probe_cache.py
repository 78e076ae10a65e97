"""Read many recordings in parallel, and none a second time while it is unchanged.

What each reading found is kept in ``.probe.parquet`` beside the manifest. It can be deleted at
any time: the next build reads every recording again.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Bools, Int64s
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.digest import source_digest
from ser_pipeline.manifest.fingerprint import STATE, Pool, file_states
from ser_pipeline.manifest.probe import Probe, probe
from ser_pipeline.manifest.schema import read_table, write_table
from ser_pipeline.remote.addresses import reading_order

PROBE_CACHE_NAME: Final = ".probe.parquet"

PROBE_SCHEMA: Final[pa.Schema] = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("ctime_ns", pa.int64(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
        pa.field("duration_s", pa.float64(), nullable=False),
        pa.field("sample_rate", pa.int32(), nullable=False),
        pa.field("channels", pa.int16(), nullable=False),
        pa.field("problem", pa.string()),
        pa.field("decoder", pa.string(), nullable=False),
        pa.field("lead", pa.int32(), nullable=False),
        pa.field("decoded", pa.bool_(), nullable=False),
        pa.field("decode_problem", pa.string()),
        pa.field("wave_problem", pa.string()),
        pa.field("channel", pa.int16()),
    ]
)
"""One row per recording: its path relative to the data folder, then the fields of ``Probe``."""

READ_AT_ONCE: Final = 64
"""Recordings per task; enough that handing out tasks costs nothing."""

PACK_AT_ONCE: Final = 8192
"""Readings held as Python objects at once."""

SAVE_EVERY_S: Final = 60.0
"""A build that is killed loses at most this much of its reading."""

Progress = Callable[[int, int], None]
"""Called with how many recordings are read and how many there are to read."""


@dataclass
class ProbeCache:
    """What is known of recordings from earlier builds.

    Attributes:
        path: of the file it is kept in.
        data: folder that the paths are relative to.
        table: columns ``PROBE_SCHEMA``.
    """

    path: Path
    data: Path
    table: pa.Table = field(default_factory=PROBE_SCHEMA.empty_table)

    @classmethod
    def load(cls, path: Path, data: Path) -> "ProbeCache":
        """Read the cache; one that is missing, damaged or of another reader is empty."""
        try:
            file = read_table(path, PROBE_SCHEMA, remedy="ser manifest build")
        except ManifestError:
            return cls(path, data)
        return cls(path, data, file.table) if file.facts.get("reader") == reader() else cls(path, data)

    def save(self, table: pa.Table) -> None:
        """Write what is known now; readings that failed are left out, to be tried again.

        Raises:
            SerError: the folder cannot be written to, or the disk is full.
        """
        self.table = table.filter(pc.greater_equal(table["size"], 0))
        write_table(self.table, {"reader": reader()}, self.path)

    def updated(self, table: pa.Table) -> pa.Table:
        """The rows of ``table``, and the earlier rows that it does not replace."""
        old = self.table.filter(pc.invert(pc.is_in(self.table["path"], table["path"].combine_chunks())))
        return pa.concat_tables([old, table])

    def read_all(
        self,
        paths: Sequence[str],
        *,
        jobs: int = 1,
        rehash: bool = False,
        decode: bool = False,
        on_progress: Progress | None = None,
    ) -> tuple[pa.Table, int]:
        """Read the recordings that are new or changed, and save what was found.

        Args:
            paths: relative to the data folder.
            jobs: recordings read at once.
            rehash: read all of them, changed or not.
            decode: also decode each of them.
            on_progress: called now and then.

        Returns:
            Columns ``PROBE_SCHEMA``, one row per path in the same order; how many were read.
        """
        with Pool(jobs) as pool:
            stats = file_states(pool, self.data, paths)
            at = self._known(paths, stats, rehash, decode)
            new = np.flatnonzero(at < 0)
            new = new[np.asarray(reading_order([paths[row] for row in new.tolist()]), np.int64)]
            reading = _Reading(self, [paths[row] for row in new.tolist()], on_progress)
            read = reading.run(pool, decode)
        order = np.where(at < 0, 0, at)
        order[new] = self.table.num_rows + np.arange(len(new))
        return pa.concat_tables([self.table, read]).take(pa.array(order)), len(new)

    def compare(self, paths: Sequence[str], *, jobs: int = 1) -> tuple[Bools, Bools]:
        """Which recordings no longer exist, and which have changed since they were read.

        Args:
            paths: relative to the data folder.
            jobs: files looked up at once.
        """
        with Pool(jobs) as pool:
            stats = file_states(pool, self.data, paths)
        at = self._places(paths)
        absent = stats[:, 0] < 0
        changed = (at >= 0) & ~absent
        same = np.ones(len(paths), bool)
        for number, name in enumerate(STATE[:2]):
            same[changed] &= self.table[name].to_numpy()[at[changed]] == stats[changed, number]
        return absent, changed & ~same

    def _places(self, paths: Sequence[str]) -> Int64s:
        """Row of the cache for each path, -1 if there is none."""
        known = self.table["path"].combine_chunks()
        found = pc.index_in(pa.array(paths, pa.string()), known).fill_null(-1)
        return np.asarray(found, np.int64)

    def _known(self, paths: Sequence[str], stats: Int64s, rehash: bool, decode: bool) -> Int64s:
        """Row of the cache that still holds for each path, -1 if there is none."""
        from ser_pipeline.audio.ffmpeg import decoder

        none = np.full(len(paths), -1, np.int64)
        if rehash or not self.table.num_rows:
            return none
        at = self._places(paths)
        same = at >= 0
        for number, name in enumerate(STATE):
            same &= self.table[name].to_numpy()[at] == stats[:, number]
        same &= pc.is_in(self.table["decoder"], pa.array(["", decoder()])).to_numpy()[at]
        if decode:
            usable = self.table["problem"].is_null().to_numpy()
            same &= (self.table["decoded"].to_numpy() | ~usable)[at]
        return np.where(same, at, none)


class _Reading:
    """One pass over recordings; however it ends, what was found until then is saved."""

    def __init__(self, cache: ProbeCache, paths: list[str], on_progress: Progress | None) -> None:
        self.cache = cache
        self.paths = paths
        self.on_progress = on_progress or (lambda done, total: None)
        self.fresh: list[Probe] = []
        self.batches: list[pa.RecordBatch] = []
        self.packed = 0

    def run(self, pool: Pool, decode: bool) -> pa.Table:
        known = self.cache.table
        saved = time.monotonic()
        whole = False
        try:
            tasks = self._tasks(pool, decode)
            while tasks:  # what has been taken is let go of
                self._take(tasks.popleft().result())
                if time.monotonic() - saved > SAVE_EVERY_S:
                    self._save(known)
                    saved = time.monotonic()
            whole = True
        finally:
            if not whole:
                self._save(known)
        self.cache.table = known
        return self._found()

    def _tasks(self, pool: Pool, decode: bool) -> "deque[Future[list[Probe]]]":
        data = str(self.cache.data)
        starts = range(0, len(self.paths), READ_AT_ONCE)
        return deque(
            pool.submit(_probe_some, data, self.paths[start : start + READ_AT_ONCE], decode)
            for start in starts
        )

    def _take(self, found: list[Probe]) -> None:
        self.fresh += found
        if len(self.fresh) >= PACK_AT_ONCE:
            self._pack()
        self.on_progress(self.packed + len(self.fresh), len(self.paths))

    def _pack(self) -> None:
        """Move readings into a batch, where they need a tenth of the memory."""
        paths = self.paths[self.packed : self.packed + len(self.fresh)]
        columns = [paths, *map(list, zip(*self.fresh, strict=True))] if paths else [[]] * len(PROBE_SCHEMA)
        arrays = [pa.array(values, column.type) for values, column in zip(columns, PROBE_SCHEMA, strict=True)]
        self.batches.append(pa.record_batch(arrays, schema=PROBE_SCHEMA))
        self.packed += len(paths)
        self.fresh = []

    def _found(self) -> pa.Table:
        self._pack()
        return pa.Table.from_batches(self.batches, PROBE_SCHEMA)

    def _save(self, known: pa.Table) -> None:
        self.cache.table = known
        self.cache.save(self.cache.updated(self._found()))


def reader() -> str:
    """What reads recordings: readings by other code, or another libsndfile, do not count."""
    import soundfile

    return f"{source_digest('manifest/probe.py', 'audio/*.py')} {soundfile.__libsndfile_version__}"


def _probe_some(data: str, paths: list[str], decode: bool) -> list[Probe]:
    return [probe(os.path.join(data, path), decode=decode) for path in paths]
