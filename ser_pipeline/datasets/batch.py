"""What a model is given at once: batches of mel spectrograms, feature vectors, or both, from the store."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from ser_pipeline.arrays import Float32s, Float64s, Int64s
from ser_pipeline.datasets.normalise import shift_levels
from ser_pipeline.options import StoreOptions

READ_AT_ONCE = 1024
"""Rows read in one go where many are wanted."""

MEMORY_LIMIT = 2 << 30
"""Bytes of mels that are kept in memory; more are read from the store batch by batch."""


class ReadableRows(Protocol):
    """Rows by position, and their shape."""

    shape: tuple[int, ...]

    def read(self, positions: npt.ArrayLike) -> tuple[Any, Any, Any]:
        """Values, valid frames and levels in dB of some rows."""


class KeyedRows(ReadableRows, Protocol):
    """Rows that are found by recording: of one store, or of several side by side."""

    folder: Path
    fingerprint: str
    kind: str
    names: tuple[str, ...]
    failures: dict[str, str]
    shards: npt.NDArray[np.int32]

    def rows(
        self, digests: Sequence[str], variant: int = 0, *, modalities: Sequence[str] | None = None
    ) -> Int64s:
        """Positions of recordings, -1 where there are none."""


@dataclass(frozen=True)
class Variants:
    """Random variants of the training clips.

    Attributes:
        store: that holds them.
        positions: their rows in it, one line for each variant, shape ``(copies, training clips)``.
    """

    store: KeyedRows
    positions: Int64s


class RowStore(KeyedRows, Protocol):
    """What is needed of a store; :class:`ser_pipeline.store.Store` is one."""

    options: StoreOptions


class FrameStore(RowStore, Protocol):
    """A store whose rows are as long as their recordings; ``shape`` is that of a step."""

    frames: npt.NDArray[np.int16]


class Batch(NamedTuple):
    """Clips that are scored together.

    Attributes:
        inputs: mels of shape ``(batch, n_mels, frames)``, features ``(batch, features)``, or steps of an
            encoder ``(batch, steps, layers, width)``, float32.
        lengths: valid frames or steps, shape ``(batch,)``; 1 for features.
        targets: class numbers, shape ``(batch,)``.
        numbers: of the clips in their data set, shape ``(batch,)``.
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

    def given(self, device: torch.device | str | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a network is called with: inputs, lengths, and vectors beside them, on a device."""
        beside = None if self.beside is None else self.beside.to(device)
        return self.inputs.to(device), self.lengths.to(device), beside


class Clips(Dataset[Batch]):
    """Clips by number, a whole batch at a time.

    Attributes:
        shards: shard of each clip where clips are read batch by batch; None where they are in memory.
        buffer: clips that fit into memory at a time.
    """

    shards: Int64s | None = None
    buffer: int = 0

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

    def _read(self, positions: Int64s) -> tuple[Tensor, Tensor]:
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
        fits = int(self._counts.sum()) * step <= memory_limit
        self._kept = self._keep() if fits else None
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
            values = pad_sequence([self._clip(self._kept, number) for number in indices], batch_first=True)
        return Batch(values, self._counts[index], self._targets[index], index)

    def _clip(self, kept: Tensor, number: int) -> Tensor:
        end, count = int(self._ends[number]), int(self._counts[number])
        return kept[end - count : end].float()

    def _keep(self) -> Tensor:
        """All steps of all clips one after another, so that no padding is kept."""
        kept = torch.empty((int(self._counts.sum()), *self._store.shape), dtype=torch.float16)
        for position, end, count in zip(self._positions, self._ends, self._counts, strict=True):
            kept[end - count : end] = torch.from_numpy(self._store.read([position])[0][0])
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
        return Batch(self.values[index], ones, self.targets[index], index)


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
        return batch._replace(beside=self.values[batch.numbers])


def whole_batch(batch: Any) -> Any:
    """Collation for the loader: the data set already returns whole batches."""
    return batch


def read_levels(store: ReadableRows, positions: Int64s) -> Float64s:
    """Levels of clips before levelling, in dB of full scale, shape ``(clips,)``."""
    parts = [
        store.read(positions[start : start + READ_AT_ONCE])[2]
        for start in range(0, len(positions), READ_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0), *parts]).astype(np.float64)


def read_vectors(store: ReadableRows, positions: Int64s) -> Float32s:
    """Vectors of some rows, shape ``(clips, features)``."""
    parts = [
        store.read(positions[start : start + READ_AT_ONCE])[0]
        for start in range(0, len(positions), READ_AT_ONCE)
    ]
    empty = np.zeros((0, *store.shape), np.float32)
    return np.concatenate([empty, *parts])
