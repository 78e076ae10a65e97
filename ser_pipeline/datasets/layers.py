"""Layers of an encoder as one vector: the part of a store of embeddings that a model learns from."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, Int64s
from ser_pipeline.front_end import vector_names
from ser_pipeline.options import EmbeddingOptions, StoreOptions
from ser_pipeline.store import Store
from ser_pipeline.store.embeddings import narrowed


class LayerRows:
    """Rows of a store, of which some layers and poolings are read, side by side.

    Attributes:
        options: of the whole store.
        chosen: the same with the layers and poolings that are read.
        shape: of one row, ``(layers * poolings * width,)``.
        names: of its columns.
    """

    def __init__(self, store: Store, chosen: EmbeddingOptions) -> None:
        whole = narrowed(store, EmbeddingOptions())
        self._store = store
        layers = np.array([whole.layers.index(layer) for layer in chosen.layers])
        pools = np.array([whole.pooling.index(name) for name in chosen.pooling])
        self._part = np.ix_(layers, pools, np.arange(whole.width))
        self.chosen = chosen
        self.options: StoreOptions = store.options
        self.folder: Path = store.folder
        self.fingerprint = store.fingerprint
        self.kind = store.kind
        self.failures = store.failures
        self.shards = store.shards
        self.names = vector_names(chosen)
        self.shape: tuple[int, ...] = (len(self.names),)

    def of_layers(self, layers: Sequence[int]) -> "LayerRows":
        """The same rows with other layers."""
        return LayerRows(self._store, self.chosen.model_copy(update={"layers": tuple(layers)}))

    def rows(
        self, digests: Sequence[str], variant: int = 0, *, modalities: Sequence[str] | None = None
    ) -> Int64s:
        """Positions of recordings, -1 where the store has none."""
        return self._store.rows(digests, variant, modalities=modalities)

    def read(self, positions: npt.ArrayLike) -> tuple[Float32s, Int64s, Float32s]:
        """Vectors, steps and levels in dB of some rows, as the store reads them."""
        values, steps, levels = self._store.read(positions, self._part)
        return values.reshape(len(values), -1).astype(np.float32, copy=False), steps, levels
