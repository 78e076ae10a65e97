"""What a second worker adds to a build, and how a shard's values are best kept."""

import ctypes
import multiprocessing
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Int64s
from ser_pipeline.benchmarks.measure import Measurement, seconds
from ser_pipeline.errors import SettingsError
from ser_pipeline.manifest import Manifest
from ser_pipeline.options import FrontEnd
from ser_pipeline.store import build_store, open_store

BATCH, SHARD = 40, 256
CHUNKINGS: Final[Mapping[str, Callable[[tuple[int, ...]], dict[str, Any]]]] = MappingProxyType(
    {
        "contiguous": lambda _: {},
        "chunk per clip": lambda row: {"chunks": (1, *row)},
        "chunked, lzf": lambda row: {"chunks": (1, *row), "compression": "lzf"},
        "chunked, gzip": lambda row: {"chunks": (1, *row), "compression": "gzip", "compression_opts": 4},
    }
)

LEAST_CLIPS = 1_600
"""Of a build that is long against the start of its workers and the end of its last shard."""

ROUNDS = 3


def layouts(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Iterator[Measurement]:
    """Clips a second in shuffled batches, warm, for each type and chunking.

    Args:
        manifest: of the clips; their mels are repeated to fill one shard.
        data: folder its paths are relative to.
        work: folder to write to.
        front_end: of the mels.
    """
    build_store(manifest, data, work / "layouts", front_end)
    store = open_store(work / "layouts", front_end)
    values, _, _ = store.read(np.arange(SHARD) % len(store))
    for dtype, (name, options) in product((np.float16, np.float32), CHUNKINGS.items()):
        yield _figure(values.astype(dtype), name, options(values.shape[1:]), work / "layout.h5")


def _figure(values: npt.NDArray[Any], name: str, options: dict[str, Any], path: Path) -> Measurement:
    def write() -> None:
        path.unlink(missing_ok=True)
        with h5py.File(path, "w", libver="latest") as file:
            file.create_dataset("mels", data=values, **options)

    written = min(seconds(write) for _ in range(3))
    order = np.random.default_rng(0).permutation(len(values))[: len(values) // BATCH * BATCH]
    with h5py.File(path, rdcc_nbytes=0) as file:  # a store is larger than HDF5's cache, this shard may not be
        dataset = file["mels"]
        offset = dataset.id.get_offset()
        rows = (
            dataset
            if offset is None
            else np.memmap(path, values.dtype, mode="r", offset=offset, shape=values.shape)
        )
        read = min(seconds(lambda: _batches(rows, order, values)) for _ in range(5))
    size = path.stat().st_size / 2**20
    return Measurement(
        f"{values.dtype}, {name}", len(order) / read, "clips/s",
        note=f"{size:.2f} MiB for {len(values)} clips, written at {len(values) / written:.0f} clips/s",
    )  # fmt: skip


def _batches(rows: Any, order: Int64s, like: npt.NDArray[Any]) -> None:
    batch = np.empty((BATCH, *like.shape[1:]), like.dtype)
    for start in range(0, len(order), BATCH):
        for place, row in enumerate(np.sort(order[start : start + BATCH]).tolist()):
            batch[place] = rows[row]


def worker_figures(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Iterator[Measurement]:
    """Clips a second of two warm workers against one, by the clock and with a processor for each process.

    The clock tells of the machine as well: cores that are busy with other work, or share their
    memory, hold two workers back. Processor time does not: two workers' build lasts as long as its
    busiest process, plus what the process that hands out the work spends itself.

    Args:
        manifest: of the clips; :data:`LEAST_CLIPS` or more give a figure that counts.
        data: folder its paths are relative to.
        work: folder to write to.
        front_end: settings.
    """
    clips, sound_s = manifest.table.num_rows, sum(manifest.table["duration_s"].to_pylist())

    def build(jobs: int) -> None:
        shutil.rmtree(work / f"jobs{jobs}", ignore_errors=True)
        build_store(manifest, data, work / f"jobs{jobs}", front_end, jobs=jobs)

    build(1)
    build(2)
    rounds = [(_spent(lambda: build(2)), _spent(lambda: build(1))) for _ in range(ROUNDS)]
    two, one = (statistics.median(pair[side][0] for pair in rounds) for side in (0, 1))
    note = f"{clips} clips, {sound_s / two:.0f} x real time"
    yield Measurement("two workers", clips / two, "clips/s", "one worker", clips / one, 1.8, 1.9, note)
    shares = [pair[0][1] for pair in rounds]
    if all(len(share) == 3 for share in shares):  # this process and two workers
        parent, busiest, other = (statistics.median(share[rank] for share in shares) for rank in range(3))
        alone = statistics.median(pair[1][1][0] for pair in rounds)
        note = (
            f"{clips} clips: alone {alone:.2f} s; "
            f"workers {busiest:.2f} s and {other:.2f} s, handing out {parent:.2f} s"
        )
        rate = clips / (parent + busiest)
        yield Measurement(
            "two workers, processor time", rate, "clips/s", "one worker", clips / alone, 1.8, 1.9, note
        )


def _spent(work: Callable[[], object]) -> tuple[float, tuple[float, ...]]:
    """Wall time of a call; then processor time of this process and of its workers, busiest first."""
    before = _workers()
    own = time.process_time()
    wall = seconds(work)
    own = time.process_time() - own
    shares = sorted((now - before.get(pid, 0.0) for pid, now in _workers().items()), reverse=True)
    return wall, (own, *shares)


def _workers() -> dict[int, float]:
    """Processor seconds of every child; empty where the system does not tell."""
    children = [child.pid for child in multiprocessing.active_children() if child.pid is not None]
    try:
        return {pid: processor_seconds(pid) for pid in children}
    except SettingsError:
        return {}


def processor_seconds(process: int) -> float:
    """Processor time a running process has spent, in seconds.

    Args:
        process: its number.

    Raises:
        SettingsError: the system does not tell, or there is no such process.

    Examples:
        >>> import os, time
        >>> abs(processor_seconds(os.getpid()) - time.process_time()) < 0.1
        True
    """
    clock = ctypes.c_int()
    ask = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)
    if ask is None or ask(process, ctypes.byref(clock)) != 0:
        raise SettingsError(f"this system does not tell the processor time of process {process}")
    return time.clock_gettime(clock.value)
