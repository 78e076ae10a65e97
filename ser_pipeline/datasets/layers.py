"""What a model learns from of encoders: layers pooled or step by step; and several inputs together."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, Floats, Int64s
from ser_pipeline.datasets.rows import KeyedRows, RowStore
from ser_pipeline.errors import RunError, StoreError
from ser_pipeline.front_end import vector_names
from ser_pipeline.options import EmbeddingOptions, Fused, StoreOptions, inputs_of, sequence_of
from ser_pipeline.store import Store
from ser_pipeline.store.embeddings import narrowed


class LayerRows:
    """Rows of a store, of which some layers and poolings are read, side by side.

    Attributes:
        options: of the whole store.
        chosen: the same with the layers and poolings that are read.
        shape: of one row, ``(layers * poolings * width,)``; of one step, ``(layers, width)``.
        frames: steps of each row, shape ``(rows,)``.
        names: of the columns of a vector; empty for steps.
    """

    def __init__(self, store: Store, chosen: EmbeddingOptions) -> None:
        whole = narrowed(store, EmbeddingOptions())
        self._store = store
        layers = np.array([whole.layers.index(layer) for layer in chosen.layers])
        pools = np.array([whole.pooling.index(name) for name in chosen.pooling])
        pooled = np.ix_(layers, pools, np.arange(whole.width))
        self._part = np.s_[:, layers] if chosen.frames else pooled
        self.chosen = chosen
        self.options: StoreOptions = store.options
        self.folder: Path = store.folder
        self.fingerprint = store.fingerprint
        self.kind = store.kind
        self.failures = store.failures
        self.shards = store.shards
        self.frames = store.frames
        self.names = vector_names(chosen)
        self.shape: tuple[int, ...] = (len(layers), whole.width) if chosen.frames else (len(self.names),)

    def of_layers(self, layers: Sequence[int]) -> "LayerRows":
        """The same rows with other layers."""
        return LayerRows(self._store, self.chosen.model_copy(update={"layers": tuple(layers)}))

    def rows(
        self, digests: Sequence[str], variant: int = 0, *, modalities: Sequence[str] | None = None
    ) -> Int64s:
        """Positions of recordings, -1 where the store has none."""
        return self._store.rows(digests, variant, modalities=modalities)

    def read(self, positions: npt.ArrayLike) -> tuple[Floats, Int64s, Float32s]:
        """Vectors or steps, how many steps, and levels in dB of some rows, as the store reads them."""
        values, steps, levels = self._store.read(positions, self._part)
        if self.chosen.frames:
            return values, steps, levels
        return values.reshape(len(values), -1).astype(np.float32, copy=False), steps, levels


class SideBySide:
    """Rows of several stores as one vector; a recording is there if all of them have it.

    A position stands for one row of each store: it is the flat index into a grid with an axis for each store.
    The first store may hold mels or frames, beside which the vector stands.

    Attributes:
        parts: the stores; those of vectors are in the order in which their columns lie.
        sequence: the store of mels or frames; None if all hold vectors.
        options: what is read of each.
        failures: audio digest -> why a part could not use the recording, and which part.
        shape: of one vector, ``(columns of all parts,)``.
        names: of its columns.

    Raises:
        StoreError: more rows in more stores than can be counted.
    """

    def __init__(self, parts: Sequence[RowStore]) -> None:
        self.parts = tuple(parts)
        self.options = Fused(
            parts=tuple(
                each.chosen if isinstance(each, LayerRows) else inputs_of(each.options) for each in parts
            )
        )
        self.sequence: RowStore | None = None if sequence_of(self.options) is None else parts[0]
        self.folder: Path = parts[0].folder.parent.parent  # the cache
        self.fingerprint = "+".join(part.fingerprint for part in parts)
        self.kind = "+".join(part.kind for part in parts)
        self.failures = {
            digest: f"{part.kind}: {reason}"
            for part in reversed(self.parts)
            for digest, reason in part.failures.items()
        }
        self.shards = np.zeros(0, np.int32)  # vectors are always in memory
        self.names = vector_names(self.options)
        self.shape: tuple[int, ...] = (len(self.names),)
        self._sizes = tuple(max(1, len(part.shards)) for part in parts)
        if math.prod(self._sizes) > np.iinfo(np.int64).max:
            raise StoreError(
                f"{self.folder}: {len(parts)} stores of {self._sizes[0]} rows are too many to join"
            )

    @property
    def encoders(self) -> tuple[LayerRows, ...]:
        """The parts that are layers of an encoder."""
        return tuple(part for part in self.parts if isinstance(part, LayerRows))

    def of_layers(self, layers: Sequence[int], encoder: int) -> "SideBySide":
        """The same rows with other layers of one of the encoders, which are counted from 0."""
        chosen = self.encoders[encoder]
        return SideBySide([part.of_layers(layers) if part is chosen else part for part in self.parts])

    def rows(
        self, digests: Sequence[str], variant: int = 0, *, modalities: Sequence[str] | None = None
    ) -> Int64s:
        """Positions of recordings, -1 where a part has none."""
        found = np.stack([part.rows(digests, variant, modalities=modalities) for part in self.parts])
        joined = np.ravel_multi_index(tuple(np.maximum(found, 0)), self._sizes)
        return np.where((found < 0).any(0), -1, joined).astype(np.int64)

    def sequence_rows(self, positions: npt.ArrayLike) -> Int64s:
        """Positions in the first store of rows that are given by their position here, of the same shape."""
        rows: Int64s = np.unravel_index(np.asarray(positions, np.int64), self._sizes)[0]
        return rows

    def read(self, positions: npt.ArrayLike) -> tuple[Float32s, Int64s, Float32s]:
        """Vectors of some rows, a step each, and levels in dB of the first part that holds vectors."""
        places = np.unravel_index(np.asarray(positions, np.int64), self._sizes)
        pairs = [*zip(self.parts, places, strict=True)]
        found = [part.read(place) for part, place in pairs[0 if self.sequence is None else 1 :]]
        values = np.concatenate([np.asarray(each[0], np.float32) for each in found], axis=1)
        return values, np.ones(len(values), np.int64), found[0][2]


def stores_of(rows: RowStore | SideBySide) -> tuple[RowStore, ...]:
    """The stores that rows are read from: several where they lie side by side."""
    return rows.parts if isinstance(rows, SideBySide) else (rows,)


def sequence_of_rows(store: KeyedRows, positions: Int64s) -> tuple[KeyedRows, Int64s]:
    """The store that holds mels or frames, and rows in it; a store that stands alone as it is."""
    if isinstance(store, SideBySide) and store.sequence is not None:
        return store.sequence, store.sequence_rows(positions)
    return store, positions


def of_layers(store: KeyedRows, layers: Sequence[int], encoder: int) -> LayerRows | SideBySide:
    """Rows with other layers of an encoder.

    Raises:
        RunError: they are not layers of an encoder.
    """
    if isinstance(store, SideBySide):
        return store.of_layers(layers, encoder)
    if isinstance(store, LayerRows):
        return store.of_layers(layers)
    raise RunError(f"{store.folder}: holds {store.kind}, not layers to choose from")
