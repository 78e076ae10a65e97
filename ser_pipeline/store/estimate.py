"""How long it takes to compute what a store lacks."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ser_pipeline.options import EmbeddingOptions, StoreOptions, inputs_of
from ser_pipeline.processes import chosen_device

BUILD_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "mels": 0.02, "features": 0.03, "egemaps": 0.06, "compare": 0.3, "embeddings": 0.1, "frames": 0.1,
        "waves": 0.01,
        "augmented-mels": 0.05, "augmented-features": 0.06,
        "augmented-egemaps": 0.09, "augmented-compare": 0.35, "augmented-embeddings": 0.13,
        "augmented-frames": 0.13, "augmented-waves": 0.04,
    }
)  # fmt: skip
"""Seconds to compute a recording for a store of each kind; those of an encoder with whisper-base."""

_BASE: Final = 6 * 512**2
"""Layers times squared width of whisper-base: what an encoder takes grows with it."""
_READING: Final = 0.2
"""What the smallest encoder takes beside whisper-base: recordings are decoded for it as well."""


def build_seconds(options: StoreOptions, clips: int) -> float:
    """Seconds that one process should take to compute some recordings for a store.

    Beside what a graphics card does with an encoder, only reading the recordings counts.
    """
    inputs = inputs_of(options)
    if not isinstance(inputs, EmbeddingOptions):
        return clips * BUILD_SECONDS[options.kind]
    if chosen_device(inputs.device) != "cpu":
        return clips * BUILD_SECONDS["waves"]
    return clips * encoder_size(inputs) * BUILD_SECONDS[options.kind]


def encoder_size(encoder: EmbeddingOptions) -> float:
    """What the layers of an encoder that are computed take, whisper-base being 1, as one not yet read is."""
    size = max(encoder.layers, default=encoder.depth) * encoder.width**2 / _BASE
    return max(size, _READING) if size else 1.0
