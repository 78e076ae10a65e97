"""Batches of mel spectrograms, read from the store and nothing else."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ser_pipeline.datasets.batch import READ_AT_ONCE, Batch, Clips, RowStore
from ser_pipeline.datasets.level import shift_levels

MEMORY_LIMIT = 2 << 30
"""Bytes of mels that are kept in memory; more are read from the store batch by batch."""


class MelClips(Clips):
    """Clips by number, a whole batch at a time.

    Args:
        store: the open store.
        positions: rows of the clips in it, shape ``(clips,)``.
        targets: class numbers, shape ``(clips,)``.
        shift: level shift of each clip, shape ``(clips,)``; None for none.
        memory_limit: bytes; a smaller set of clips is read once and kept.
    """

    def __init__(
        self,
        store: RowStore,
        positions: npt.NDArray[np.int64],
        targets: npt.NDArray[np.int64],
        shift: npt.NDArray[np.float32] | None = None,
        *,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._store = store
        self._positions = positions
        self._targets = torch.from_numpy(np.array(targets, np.int64))
        self._shift = shift if shift is not None and shift.any() else None
        self._shape = store.shape
        clip = self._shape[0] * self._shape[1] * 2
        fits = len(positions) * clip <= memory_limit
        self._kept = self._keep() if fits else None
        if not fits:  # a shuffle over all shards would read the disk at random, again each epoch
            self.shards = np.asarray(store.shards[positions], np.int64)
            self.buffer = max(1, memory_limit // clip)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._positions)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Read some clips at once; torch's loader calls this with a batch's numbers."""
        index = torch.tensor(indices, dtype=torch.int64)
        if self._kept is None:
            values, frames = self._read(self._positions[index.numpy()])
        else:
            values, frames = (column.index_select(0, index) for column in self._kept)
        mels = values.float()
        if self._shift is not None:
            shift_levels(mels.numpy(), frames.numpy(), self._shift[index.numpy()])
        return Batch(mels, frames, self._targets[index], index)

    def _read(self, positions: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        values, frames, _ = self._store.read(positions)
        return torch.from_numpy(values), torch.from_numpy(np.asarray(frames, np.int64))

    def _keep(self) -> tuple[Tensor, Tensor]:
        """Read all clips; tensors, so that processes that are started later share the memory."""
        values = torch.empty((len(self), *self._shape), dtype=torch.float16)
        frames = torch.empty(len(self), dtype=torch.int64)
        for start in range(0, len(self), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            values[part], frames[part] = self._read(self._positions[part])
        return values, frames


def read_levels(store: RowStore, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Levels of clips before levelling, in dB of full scale, shape ``(clips,)``."""
    parts = [
        store.read(positions[start : start + READ_AT_ONCE])[2]
        for start in range(0, len(positions), READ_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)
