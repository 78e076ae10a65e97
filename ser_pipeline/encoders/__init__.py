"""Pretrained speech encoders: from a wave to the layers of a network that others trained."""

from ser_pipeline.encoders.checkpoint import (
    Checkpoint,
    anywhere,
    found_again,
    located,
    need_transformers,
    read_checkpoint,
    weights_digest,
)
from ser_pipeline.encoders.places import (
    KNOWN,
    Found,
    KnownEncoder,
    asked_as,
    download,
    encoder_folders,
    known_encoder,
    locate,
)

__all__ = [
    "KNOWN",
    "Checkpoint",
    "Found",
    "KnownEncoder",
    "anywhere",
    "asked_as",
    "download",
    "encoder_folders",
    "found_again",
    "known_encoder",
    "locate",
    "located",
    "need_transformers",
    "read_checkpoint",
    "weights_digest",
]
