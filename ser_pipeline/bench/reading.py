"""How fast shuffled batches come out of warm shards."""

from pathlib import Path

import h5py
import numpy as np

from ser_pipeline.bench.measure import Figure, paired
from ser_pipeline.manifest import Manifest
from ser_pipeline.settings import FrontEnd
from ser_pipeline.store import build_store, open_store
from ser_pipeline.store.shard import shard_path

BATCH = 40
ROUNDS = 5


def shuffled_batches(manifest: Manifest, data: Path, work: Path, front_end: FrontEnd) -> Figure:
    """Clips a second in shuffled batches of 40, against reading rows one by one through h5py."""
    build_store(manifest, data, work / "read", front_end)
    store = open_store(work / "read", front_end)
    order = np.random.default_rng(0).permutation(len(store))
    files = {
        number: h5py.File(shard_path(store.folder, number)) for number in np.unique(store.shards).tolist()
    }

    def ours() -> None:
        for start in range(0, len(order), BATCH):
            store.read(order[start : start + BATCH])

    def singly() -> None:
        for position in order.tolist():
            files[int(store.shards[position])]["mels"][int(store.shard_rows[position])]

    own, other = paired(ours, singly, ROUNDS)
    for file in files.values():
        file.close()
    return Figure(
        "shuffled batches of 40, warm", len(order) / own, "clips/s", "h5py, row by row", len(order) / other,
        note="floor 10,000 clips/s, goal 30,000",
    )  # fmt: skip
