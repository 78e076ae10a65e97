"""Which bytes stood under which name when a store was built: for explaining what changed.

``sources.parquet`` decides nothing. Rows are keyed by the recording's bytes; without this file
a changed recording is simply one that is to be computed.
"""

from collections.abc import Mapping, Set
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.atomic import write_parquet
from ser_pipeline.errors import SerError

_FILE = "sources.parquet"


def read_sources(folder: Path) -> dict[str, str]:
    """Path -> digest of every recording a store was built of; empty where that is not known."""
    try:
        with pq.ParquetFile(folder / _FILE) as file:
            table = file.read(["path", "audio_digest"])
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return {}
    return dict(zip(table["path"].to_pylist(), table["audio_digest"].to_pylist(), strict=True))


def note_sources(folder: Path, built: Mapping[str, str]) -> None:
    """Remember the recordings a build made or found, beside those of earlier builds."""
    known = read_sources(folder) | dict(built)
    table = pa.table({"path": list(known), "audio_digest": list(known.values())})
    try:
        write_parquet(folder / _FILE, table)
    except SerError:
        return  # an explanation less; the store itself is whole


def changed_sources(folder: Path, wanted: Mapping[str, str], present: Set[str]) -> list[str]:
    """Paths whose bytes are others than when the store was built, and are not in it yet.

    Args:
        folder: of the store.
        wanted: path -> digest by the manifest.
        present: digests the store holds or has found unusable.
    """
    known = read_sources(folder)
    return sorted(
        path for path, digest in wanted.items() if digest not in present and known.get(path, digest) != digest
    )
