"""Manifests as their own room makes them."""

from tests.manifest.conftest import (
    built,
    contents,
    data,
    in_memory,
    manifest_of,
    out,
    people_rows,
    record,
    rejects,
)

__all__ = ["built", "contents", "data", "in_memory", "manifest_of", "out", "people_rows", "record", "rejects"]
