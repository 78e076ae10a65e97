"""The feature store: HDF5 shards, built in parallel, read by key."""

from ser_pipeline.store.build import StoreSummary, build_store, parse_shards
from ser_pipeline.store.identity import fingerprint, provenance
from ser_pipeline.store.plan import FailedClip
from ser_pipeline.store.read import Store, build_again, build_command, open_store, store_folder, train_command
from ser_pipeline.store.status import build_seconds, encoder_size

__all__ = [
    "FailedClip",
    "Store",
    "StoreSummary",
    "build_again",
    "build_command",
    "build_seconds",
    "build_store",
    "encoder_size",
    "fingerprint",
    "open_store",
    "parse_shards",
    "provenance",
    "store_folder",
    "train_command",
]
