"""What a model is given at once: batches of mel spectrograms, feature vectors, or both, from the store."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ser_pipeline.arrays import Float32s, Int64s
from ser_pipeline.datasets.rows import READ_AT_ONCE, FrameStore, KeyedRows

MEMORY_LIMIT = 2 << 30
"""Bytes of mels that are kept in memory; more are read from the store batch by batch."""


class Batch(NamedTuple):
    """Clips that are scored together.

    Attributes:
        inputs: mels of shape ``(batch, n_mels, frames)``, features ``(batch, features)``, or steps of an
            encoder ``(batch, steps, layers, width)``, float32.
        lengths: valid frames or steps, shape ``(batch,)``; 1 for features. They stay on the CPU, where what
            is computed is planned, so that no step has to wait for the device to tell them.
        targets: class numbers, shape ``(batch,)``.
        numbers: of the clips in their data set, shape ``(batch,)``, on the CPU.
        soft: distributions over the classes in place of the targets, shape ``(batch, classes)``.
        weights: of the clips in the loss, shape ``(batch,)``.
        ratings: NaN where a clip has none, shape ``(batch, dimensions)``; None without any.
        taught: embeddings that a teacher gives, NaN where it gives none, shape ``(batch, d)``.
        beside: normalised vectors beside mels or steps, shape ``(batch, columns)``.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    numbers: Tensor
    soft: Tensor | None = None
    weights: Tensor | None = None
    ratings: Tensor | None = None
    taught: Tensor | None = None
    beside: Tensor | None = None

    def given(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a network is called with: inputs, lengths, and vectors beside them."""
        return self.inputs, self.lengths, self.beside

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch with all but lengths and numbers on a device; it need not have arrived there yet."""
        moved = {
            name: _sent(value, torch.device(device))
            for name, value in zip(self._fields, self, strict=True)
            if name not in ("lengths", "numbers") and value is not None
        }
        return self._replace(**moved)


class Clips(Dataset[Batch]):
    """Clips by number, a whole batch at a time.

    Attributes:
        shards: shard of each clip where clips are read batch by batch; None where they are in memory.
        buffer: clips that fit into memory at a time.
    """

    shards: Int64s | None = None
    buffer: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of memory that :meth:`hold` takes."""
        raise NotImplementedError

    def hold(self, device: torch.device | str) -> None:
        """Hold all that batches are made of on a device, so that batches are made there and not copied to it.

        Clips that are in memory move there; others are read from the store straight to it.
        """
        raise NotImplementedError

    def __len__(self) -> int:
        """Number of clips."""
        raise NotImplementedError

    def __getitem__(self, index: int) -> Batch:
        """One clip, as a batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Read some clips at once; torch's loader calls this with a batch's numbers."""
        raise NotImplementedError


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
        store: KeyedRows,
        positions: Int64s,
        targets: Int64s,
        shift: Float32s | None = None,
        *,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._store = store
        self._positions = positions
        self._targets = torch.from_numpy(np.array(targets, np.int64))
        self._shift = torch.from_numpy(shift) if shift is not None and shift.any() else None
        self._shape = store.shape
        clip = self._shape[0] * self._shape[1] * 2
        fits = self.nbytes <= memory_limit
        self._kept = self._keep("cpu") if fits else None
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
            values, frames = (rows_of(column, index) for column in self._kept)
        mels = values.float()
        if self._shift is not None:
            mels = louder(mels, frames, rows_of(self._shift, index))
        return Batch(mels, frames, rows_of(self._targets, index), index)

    @property
    def nbytes(self) -> int:
        """Two bytes for each cell."""
        return 2 * len(self) * math.prod(self._shape)

    def hold(self, device: torch.device | str) -> None:
        """Hold all clips on a device; see :meth:`Clips.hold`."""
        values, frames = self._keep(device) if self._kept is None else self._kept
        self._kept = values.to(device), frames
        self._targets = self._targets.to(device)
        self._shift = None if self._shift is None else self._shift.to(device)
        self.shards, self.buffer = None, 0

    def _read(self, positions: Int64s) -> tuple[Tensor, Tensor]:
        values, frames, _ = self._store.read(positions)
        return torch.from_numpy(values), torch.from_numpy(np.asarray(frames, np.int64))

    def _keep(self, device: torch.device | str) -> tuple[Tensor, Tensor]:
        """Read all clips; tensors, so that processes that are started later share the memory."""
        values = torch.empty((len(self), *self._shape), dtype=torch.float16, device=device)
        frames = torch.empty(len(self), dtype=torch.int64)
        for start in range(0, len(self), READ_AT_ONCE):
            part = slice(start, start + READ_AT_ONCE)
            read, frames[part] = self._read(self._positions[part])
            values[part] = read.to(device)
        return values, frames


class FrameClips(Clips):
    """Clips that are as long as their recording, step by step; a batch is padded with zeros.

    Args:
        store: rows of any length.
        positions: rows of the clips in it, shape ``(clips,)``.
        targets: class numbers, shape ``(clips,)``.
        memory_limit: bytes; a smaller set of clips is read once and kept.
    """

    def __init__(
        self, store: FrameStore, positions: Int64s, targets: Int64s, *, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        self._store = store
        self._positions = positions
        self._targets = torch.from_numpy(np.array(targets, np.int64))
        self._counts = torch.from_numpy(np.asarray(store.frames[positions], np.int64))
        self._ends = self._counts.cumsum(0)
        step = 2 * math.prod(store.shape)
        fits = self.nbytes <= memory_limit
        self._kept = self._keep("cpu") if fits else None
        if not fits:
            self.shards = np.asarray(store.shards[positions], np.int64)
            self.buffer = max(1, memory_limit // (step * max(1, int(self._counts.max()))))

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._positions)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Read some clips at once."""
        index = torch.tensor(indices, dtype=torch.int64)
        if self._kept is None:
            values = torch.from_numpy(self._store.read(self._positions[index.numpy()])[0]).float()
        else:
            values = self._padded(self._kept, index)
        return Batch(values, self._counts[index], rows_of(self._targets, index), index)

    @property
    def nbytes(self) -> int:
        """Two bytes for each number of each step."""
        return 2 * int(self._counts.sum()) * math.prod(self._store.shape)

    def hold(self, device: torch.device | str) -> None:
        """Hold all clips on a device; see :meth:`Clips.hold`."""
        self._kept = self._keep(device) if self._kept is None else self._kept.to(device)
        self._targets = self._targets.to(device)
        self.shards, self.buffer = None, 0

    def _padded(self, kept: Tensor, index: Tensor) -> Tensor:
        """Steps of clips, zero beyond their ends, ``(batch, most steps, *shape)``."""
        counts = self._counts[index][:, None]
        step = torch.arange(int(counts.max()))
        own = step < counts  # (batch, most steps)
        rows = torch.where(own, self._ends[index][:, None] - counts + step, 0)
        values = rows_of(kept, rows.flatten()).float().view(*rows.shape, *kept.shape[1:])
        return values.masked_fill_(~own.to(kept.device).view(*own.shape, *(1 for _ in kept.shape[1:])), 0)

    def _keep(self, device: torch.device | str) -> Tensor:
        """All steps of all clips one after another, so that no padding is kept."""
        kept = torch.empty((int(self._counts.sum()), *self._store.shape), dtype=torch.float16, device=device)
        for position, end, count in zip(self._positions, self._ends, self._counts, strict=True):
            kept[end - count : end] = torch.from_numpy(self._store.read([position])[0][0]).to(device)
        return kept


class VectorClips(Clips):
    """Clips whose inputs are normalised vectors.

    Args:
        values: shape ``(clips, features)``, float32.
        targets: class numbers, shape ``(clips,)``.
    """

    def __init__(self, values: Float32s, targets: Int64s) -> None:
        self.values = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        self.targets = torch.from_numpy(np.array(targets, np.int64))

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.targets)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once."""
        index = torch.tensor(indices, dtype=torch.int64)
        ones = torch.ones(len(index), dtype=torch.int64)
        return Batch(rows_of(self.values, index), ones, rows_of(self.targets, index), index)

    @property
    def nbytes(self) -> int:
        """Four bytes for each number."""
        return self.values.nbytes

    def hold(self, device: torch.device | str) -> None:
        """Hold all clips on a device."""
        self.values, self.targets = self.values.to(device), self.targets.to(device)


class BesideClips(Clips):
    """Clips that are a sequence with a vector beside it.

    Args:
        sequence: mels or frames of the clips.
        values: normalised vectors of the same clips, shape ``(clips, columns)``, float32.
    """

    def __init__(self, sequence: Clips, values: Float32s) -> None:
        self.sequence = sequence
        self.values = torch.from_numpy(np.ascontiguousarray(values, np.float32))
        self.shards, self.buffer = sequence.shards, sequence.buffer

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.values)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once."""
        batch = self.sequence.__getitems__(indices)
        return batch._replace(beside=rows_of(self.values, batch.numbers))

    @property
    def nbytes(self) -> int:
        """Those of the sequences and of the vectors."""
        return self.sequence.nbytes + self.values.nbytes

    def hold(self, device: torch.device | str) -> None:
        """Hold all clips on a device; see :meth:`Clips.hold`."""
        self.sequence.hold(device)
        self.values = self.values.to(device)
        self.shards, self.buffer = self.sequence.shards, self.sequence.buffer


def _sent(value: Tensor, device: torch.device) -> Tensor:
    """A tensor on a device; a copy to a card runs in the background, which only works from pinned memory."""
    if device.type == "cuda" and value.device.type == "cpu":
        value = value.pin_memory()
    return value.to(device, non_blocking=True)


def rows_of(values: Tensor, index: Tensor) -> Tensor:
    """Some rows of a tensor, on its device; the numbers come from the CPU."""
    return values.index_select(0, index.to(values.device, non_blocking=True))


def louder(mels: Tensor, lengths: Tensor, shift: Tensor) -> Tensor:
    """Move the level of clips; what falls below -1 is raised to it, padding stays.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as they are.
        lengths: valid frames of each clip, shape ``(batch,)``.
        shift: to add to each clip, shape ``(batch,)``.

    Returns:
        Shape ``(batch, n_mels, frames)``; the same numbers on every device.
    """
    valid = (torch.arange(mels.shape[2]) < lengths[:, None]).to(mels.device, non_blocking=True)
    return torch.where(valid[:, None], (mels + shift[:, None, None]).clamp(min=-1), mels)
