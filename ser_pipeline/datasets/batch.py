"""What a model is given at once, and what is asked of a store for it."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.data import Dataset

from ser_pipeline.settings import StoreOptions

READ_AT_ONCE = 1024
"""Rows read in one go where many are wanted."""


class ReadableRows(Protocol):
    """Rows by position, and their shape."""

    shape: tuple[int, ...]

    def read(self, positions: npt.ArrayLike) -> tuple[Any, Any, Any]:
        """Values, valid frames and levels in dB of some rows."""


class RowStore(ReadableRows, Protocol):
    """What is needed of a store; :class:`ser_pipeline.store.Store` is one."""

    fingerprint: str
    kind: str
    options: StoreOptions
    names: tuple[str, ...]
    failures: dict[str, str]
    shards: npt.NDArray[np.int32]

    def rows(
        self, digests: Sequence[str], variant: int = 0, *, modalities: Sequence[str] | None = None
    ) -> npt.NDArray[np.int64]:
        """Positions of recordings, -1 where the store has none."""


class Batch(NamedTuple):
    """Clips that are scored together.

    Attributes:
        inputs: mels of shape ``(batch, n_mels, frames)`` or features ``(batch, features)``, float32.
        lengths: valid frames, shape ``(batch,)``; 1 for features.
        targets: class numbers, shape ``(batch,)``.
        numbers: of the clips in their data set, shape ``(batch,)``.
        soft: distributions over the classes in place of the targets, shape ``(batch, classes)``.
        weights: of the clips in the loss, shape ``(batch,)``.
        ratings: valence, arousal and dominance, NaN where a clip has none, shape ``(batch, 3)``.
    """

    inputs: Tensor
    lengths: Tensor
    targets: Tensor
    numbers: Tensor
    soft: Tensor | None = None
    weights: Tensor | None = None
    ratings: Tensor | None = None


class Clips(Dataset[Batch]):
    """Clips by number, a whole batch at a time.

    Attributes:
        shards: shard of each clip where clips are read batch by batch; None where they are in memory.
        buffer: clips that fit into memory at a time.
    """

    shards: npt.NDArray[np.int64] | None = None
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


def whole_batch(batch: Any) -> Any:
    """Collation for the loader: the data set already returns whole batches."""
    return batch
