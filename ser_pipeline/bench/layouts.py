"""How a shard's values are best kept: size, speed of writing, speed of shuffled batches."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from ser_pipeline.bench.measure import Figure, seconds
from ser_pipeline.manifest import Manifest
from ser_pipeline.settings import FrontEnd
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


def layouts(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Iterator[Figure]:
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


def _figure(values: npt.NDArray[Any], name: str, options: dict[str, Any], path: Path) -> Figure:
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
    return Figure(
        f"{values.dtype}, {name}", len(order) / read, "clips/s",
        note=f"{size:.2f} MiB for {len(values)} clips, written at {len(values) / written:.0f} clips/s",
    )  # fmt: skip


def _batches(rows: Any, order: npt.NDArray[np.int64], like: npt.NDArray[Any]) -> None:
    batch = np.empty((BATCH, *like.shape[1:]), like.dtype)
    for start in range(0, len(order), BATCH):
        for place, row in enumerate(np.sort(order[start : start + BATCH]).tolist()):
            batch[place] = rows[row]
