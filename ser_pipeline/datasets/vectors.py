"""Batches of feature vectors: few numbers a clip, so all of them stay in memory."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ser_pipeline.datasets.batch import READ_AT_ONCE, Batch, Clips, RowStore


class VectorClips(Clips):
    """Clips whose inputs are normalised vectors.

    Args:
        values: shape ``(clips, features)``, float32.
        targets: class numbers, shape ``(clips,)``.
    """

    def __init__(self, values: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> None:
        self.values = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        self.targets = torch.from_numpy(np.array(targets, np.int64))

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.targets)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once."""
        index = torch.tensor(indices, dtype=torch.int64)
        ones = torch.ones(len(index), dtype=torch.int64)
        return Batch(self.values[index], ones, self.targets[index], index)


def read_vectors(store: RowStore, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Vectors of some rows, shape ``(clips, features)``."""
    parts = [
        store.read(positions[start : start + READ_AT_ONCE])[0]
        for start in range(0, len(positions), READ_AT_ONCE)
    ]
    empty = np.zeros((0, *store.shape), np.float32)
    return np.concatenate([empty, *parts])
