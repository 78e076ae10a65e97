"""Rows of stores as training reads them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, Float64s, Int64s
from ser_pipeline.options import StoreOptions

READ_AT_ONCE: Final = 1024
"""Rows read in one go where many are wanted."""


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


def read_levels(store: ReadableRows, positions: Int64s) -> Float64s:
    """Levels of clips before levelling, in dB of full scale, shape ``(clips,)``."""
    return np.concatenate([np.zeros(0), *(levels for _, _, levels in _read_in_parts(store, positions))])


def read_vectors(store: ReadableRows, positions: Int64s) -> Float32s:
    """Vectors of some rows, shape ``(clips, features)``."""
    empty = np.zeros((0, *store.shape), np.float32)
    return np.concatenate([empty, *(values for values, _, _ in _read_in_parts(store, positions))])


def _read_in_parts(store: ReadableRows, positions: Int64s) -> Iterator[tuple[Any, Any, Any]]:
    for start in range(0, len(positions), READ_AT_ONCE):
        yield store.read(positions[start : start + READ_AT_ONCE])
