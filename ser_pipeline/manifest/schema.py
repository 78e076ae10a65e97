"""The columns of the manifest and of the files beside it, and how every such table is written and read.

A file's facts are one JSON object under the metadata key ``ser``: schema and tool version and
what the writer adds. No time and no absolute path is among them, so that the same input gives
the same bytes.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline import __version__
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import ManifestError
from ser_pipeline.labels import EMOTIONS, OTHER
from ser_pipeline.manifest.digest import digest_file, digest_stream
from ser_pipeline.records import PARTS

SCHEMA_VERSION: Final = 4
"""Raised whenever a column is added, dropped or changes its meaning."""

EMOTION_NAMES: Final = (*EMOTIONS, OTHER)
"""Names by id, as sequences are indexed: the id of ``other``, -1, is the last place."""

MEASURED: Final = ("audio_digest", "duration_s", "sample_rate", "channels", "decoder", "channel")
"""Columns read off the recording itself; the others come from the corpus."""

PART_CODES: Final[dict[str, int]] = {part: code for code, part in enumerate(PARTS)}
"""Part -> its number in :func:`ser_pipeline.splits.parts_for`."""

NO_PART: Final = -1
"""Number of a recording that a split leaves out."""

OUTSIDE: Final = r"^[A-Za-z]:|(^|/)\.\.(/|$)"
"""A path that leads out of the data folder, on Windows at least, where a drive is a letter and a colon."""

FACTS_KEY: Final = b"ser"

ROW_GROUP: Final = 1 << 16
"""Rows a reader must hold at once; bounds memory whatever the size of the corpus."""


@dataclass(frozen=True)
class TableFile:
    """A table as it was read: its rows, its facts, and the digest of the file's bytes."""

    table: pa.Table
    facts: Mapping[str, Any]
    digest: str


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


SCHEMA: Final[pa.Schema] = pa.schema(
    [
        _required("utterance_id", pa.string()),
        _required("corpus", pa.string()),
        _required("path", pa.string()),
        _required("audio_digest", pa.string()),
        _required("source_label", pa.string()),
        _required("emotion_id", pa.int8()),
        _required("intensity", pa.string()),
        _required("speaker_id", pa.string()),
        pa.field("session_id", pa.string()),
        _required("gender", pa.string()),
        pa.field("age", pa.int16()),
        _required("language", pa.string()),
        _required("modality", pa.string()),
        _required("style", pa.string()),
        pa.field("sentence_id", pa.string()),
        pa.field("text", pa.string()),
        pa.field("take", pa.string()),
        _required("duration_s", pa.float64()),
        _required("sample_rate", pa.int32()),
        _required("channels", pa.int16()),
        pa.field("valence", pa.float32()),
        pa.field("arousal", pa.float32()),
        pa.field("dominance", pa.float32()),
        pa.field("votes", pa.map_(pa.int8(), pa.int16())),
        pa.field("agreement", pa.float32()),
        pa.field("naturalness", pa.float32()),
        pa.field("rated_intensity", pa.float32()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
        pa.field("part", pa.string()),
        pa.field("fold", pa.int16()),
        pa.field("decoder", pa.string()),
        pa.field("channel", pa.int16()),
    ]
)
"""``manifest.parquet``: one row per usable recording or segment of one, sorted by ``utterance_id``."""

ADDED: Final = {
    1: ("start_s", "end_s", "part", "fold", "decoder", "channel"),
    2: ("decoder", "channel"),
    3: ("channel",),
}
"""Version of a manifest -> the columns that it lacks; they are read as null."""

REJECT_SCHEMA: Final[pa.Schema] = pa.schema(
    [_required("corpus", pa.string()), _required("path", pa.string()), _required("reason", pa.string())]
)
"""``rejects.parquet``: one row per recording that can't be used, sorted by ``path``."""

SPLIT_SCHEMA: Final[pa.Schema] = pa.schema(
    [_required("utterance_id", pa.string()), _required("part", pa.string()), pa.field("fold", pa.int16())]
)
"""``splits/<name>.parquet``: one row per recording; ``fold`` is the fold that tests it."""


def with_facts(table: pa.Table, facts: Mapping[str, Any]) -> pa.Table:
    """Put facts into a table's metadata, with the versions that wrote it."""
    full = {"schema_version": SCHEMA_VERSION, "tool_version": __version__, **facts}
    text = json.dumps(full, sort_keys=True, ensure_ascii=False)
    return table.replace_schema_metadata({FACTS_KEY: text.encode()})


def write_rows(table: pa.Table, target: pa.NativeFile) -> None:
    """Write Parquet in the one form this package writes: zstd, small row groups, checksums."""
    pq.write_table(table, target, row_group_size=ROW_GROUP, compression="zstd", write_page_checksum=True)


def write_table(table: pa.Table, facts: Mapping[str, Any], path: Path) -> str:
    """Write a table whole or not at all.

    Returns:
        Digest of the file's bytes.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    with write_atomically(path) as part:
        with pa.OSFile(os.fsencode(part), "wb") as file:
            write_rows(with_facts(table, facts), file)
        digest = digest_file(part)
    return digest


def read_table(
    path: Path,
    schema: pa.Schema,
    *,
    remedy: str,
    columns: Sequence[str] | None = None,
    added: Mapping[int, Sequence[str]] = MappingProxyType({1: (), 2: (), 3: ()}),
    error: type[ManifestError] = ManifestError,
) -> TableFile:
    """Read a table and check that it is what this version, or an earlier one that is still read, writes.

    Args:
        path: the file.
        schema: its columns must be exactly these.
        remedy: the command that makes the file, for messages.
        columns: read only these; all by default.
        added: earlier version that is read, too -> the columns that it lacks; they are null then.
        error: what to raise.

    Raises:
        ManifestError: the file is missing, damaged, foreign, or of another schema version.
    """
    try:
        # One open file, so that a rebuild in between cannot mix two of them; and Arrow's own kind of
        # file: its threads may let go of it after Python has ended, which aborts with one of Python's.
        with pa.OSFile(os.fsencode(path)) as file:
            digest = digest_stream(file)
            file.seek(0)
            # without what is read ahead, which would be kept until the end
            source = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
            facts = _facts(source.schema_arrow, path, remedy, error, added)
            lacking = added.get(facts["schema_version"], ())
            there = pa.schema([column for column in schema if column.name not in lacking])
            _same_columns(source.schema_arrow, there, path, remedy, error)
            wanted = schema.names if columns is None else columns
            blank = {*lacking, *_blank(source.metadata)}
            table = source.read(columns=[name for name in wanted if name not in blank])
            for name in (name for name in wanted if name in blank):
                table = table.append_column(schema.field(name), _nulls(schema.field(name).type, len(table)))
            table = table.select([name for name in schema.names if name in wanted])
    except FileNotFoundError:
        raise error(f"{path}: not found; make it with '{remedy}'") from None
    except (pa.ArrowException, OSError) as problem:
        detail = str(problem).partition("\n")[0]
        raise error(f"{path}: cannot be read ({detail}); make it again with '{remedy}'") from None
    return TableFile(table.replace_schema_metadata(None), facts, digest)


def _blank(file: pq.FileMetaData) -> set[str]:
    """Names of the columns that have no values in a file, by its own counts."""
    names = {file.schema.column(place).path: place for place in range(file.num_columns)}
    for group in map(file.row_group, range(file.num_row_groups)):
        counts = {name: group.column(place).statistics for name, place in names.items()}
        names = {
            name: place for name, place in names.items()
            if (found := counts[name]) is not None and found.has_null_count and not found.num_values
        }  # fmt: skip
    return {*names} if file.num_row_groups else set()


def _nulls(kind: pa.DataType, rows: int) -> pa.ChunkedArray:
    """A column without values: one piece again and again, which takes no memory to speak of."""
    piece = pa.nulls(min(rows, ROW_GROUP), kind)
    return pa.chunked_array([piece.slice(0, rows - start) for start in range(0, rows, ROW_GROUP)], kind)


def _facts(
    found: pa.Schema, path: Path, remedy: str, error: type[ManifestError], added: Mapping[int, Sequence[str]]
) -> Mapping[str, Any]:
    try:
        facts = json.loads((found.metadata or {})[FACTS_KEY])
        version = facts["schema_version"]
    except (KeyError, TypeError, ValueError):
        raise error(f"{path}: was not written by 'ser'; make it with '{remedy}'") from None
    if version not in (*added, SCHEMA_VERSION):
        raise error(
            f"{path}: has schema version {version}, this ser reads versions up to {SCHEMA_VERSION}; "
            f"make it again with '{remedy}'"
        )
    return dict(facts)


def _same_columns(
    found: pa.Schema, wanted: pa.Schema, path: Path, remedy: str, error: type[ManifestError]
) -> None:
    if found.equals(wanted):
        return
    odd = [field.name for field in wanted if field.name not in found.names]
    odd += [name for name in found.names if name not in wanted.names]
    odd += [f.name for f in wanted if f.name in found.names and not found.field(f.name).equals(f)]
    what = f"columns {', '.join(odd)} differ" if odd else "its columns are in another order"
    raise error(f"{path}: {what} from schema version {SCHEMA_VERSION}; make it again with '{remedy}'")
