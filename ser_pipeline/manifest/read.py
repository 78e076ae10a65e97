"""Read a manifest that ``build`` wrote, tell manifests apart by their digest, and query them in SQL."""

import datetime
import decimal
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Int64s, numbers_of
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.fingerprint import read_fingerprint
from ser_pipeline.manifest.schema import ADDED, EMOTION_NAMES, REJECT_SCHEMA, SCHEMA, read_table
from ser_pipeline.remote.addresses import is_folder
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


MANIFEST_NAME: Final = "manifest.parquet"
REJECTS_NAME: Final = "rejects.parquet"
BUILD: Final = "ser manifest build"
"""The command that mends what is wrong with a manifest."""


@dataclass(frozen=True)
class Manifest:
    """The recordings to work with.

    Attributes:
        table: columns ``SCHEMA``, or those asked for; one row per recording, sorted by ``utterance_id``.
        digest: of the file's bytes; splits and runs carry it.
        path: of the file.
        facts: versions, corpora, counts and settings of the build.
    """

    table: pa.Table
    digest: str
    path: Path
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        """One line: file, recordings and corpora."""
        corpora = ", ".join(self.facts.get("corpora", {})) or "no corpora"
        return f"Manifest({self.path}: {plural(self.table.num_rows, 'recording')} of {corpora})"

    @property
    def synthetic(self) -> bool:
        """Some of the recordings were made by ``ser corpora synth``."""
        return bool(self.facts.get("synthetic_corpora"))

    @property
    def synthetic_corpora(self) -> tuple[str, ...]:
        """Corpora whose recordings were made by ``ser corpora synth``."""
        return tuple(self.facts.get("synthetic_corpora", ()))

    @cached_property
    def corpora(self) -> KnownCorpora:
        """What is known of corpora: of those of this manifest, and of those that are shipped.

        Raises:
            ManifestError: the manifest's own description of a corpus cannot be read.
        """
        try:
            return KnownCorpora.of(self.facts)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ManifestError(
                f"{self.path}: its description of a corpus cannot be read; make it again with '{BUILD}'"
            ) from None

    @property
    def data(self) -> Path:
        """Folder the paths were relative to when the manifest was built on this machine.

        It stands in a file beside the manifest, never in it, so that a moved corpus changes no
        digest; ``DataSets`` where that file is missing, or names a folder of another machine.
        """
        built = read_fingerprint(self.path.parent)
        return Path(built.data) if built is not None and is_folder(Path(built.data)) else Path("DataSets")


@dataclass(frozen=True)
class Codes:
    """A text column as numbers.

    Attributes:
        of: shape ``(rows,)``, position of each row's text in ``names``.
        names: the texts that occur, sorted.
    """

    of: Int64s
    names: tuple[str, ...]


def read_manifest(source: Path, columns: Sequence[str] | None = None) -> Manifest:
    """Read a manifest.

    Args:
        source: the file, or the folder that holds it.
        columns: read only these; all by default.

    Raises:
        ManifestError: it is missing, damaged, foreign, or of another schema version.
    """
    path = source / MANIFEST_NAME if source.suffix != ".parquet" else source
    file = read_table(path, SCHEMA, remedy=BUILD, columns=columns, added=ADDED)
    return Manifest(file.table, file.digest, path, file.facts)


def read_rejects(folder: Path) -> pa.Table:
    """Read the recordings that can't be used, columns ``REJECT_SCHEMA``.

    Raises:
        ManifestError: the file is missing, damaged, foreign, or of another schema version.
    """
    return read_table(folder / REJECTS_NAME, REJECT_SCHEMA, remedy=BUILD).table


def codes(column: pa.ChunkedArray) -> Codes:
    """Number the texts of a column that has no null."""
    chunks = column.dictionary_encode().unify_dictionaries().chunks
    names = chunks[0].dictionary.to_pylist() if chunks else []
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    indices = pa.chunked_array([chunk.indices for chunk in chunks], pa.int32())
    return Codes(rank[numbers_of(indices, np.int32)], tuple(names[place] for place in order))


CONFIG: Final = {
    "enable_external_access": "false",  # no files, no network, no extensions
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",  # no Python variables as tables
    "temp_directory": "",  # nothing is written, not even what does not fit into memory
    "lock_configuration": "true",  # and none of this can be switched back
}

TABLES: Final = ("manifest", "rejects", "splits")


def query(folder: Path, sql: str, *, splits: pa.Table) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT over the tables ``manifest``, ``rejects`` and ``splits``.

    Args:
        folder: of the manifest.
        sql: one statement; ``manifest`` has the column ``emotion`` beside ``emotion_id``, and calls its
            columns ``part`` and ``fold`` ``published_part`` and ``published_fold``.
        splits: rows of all splits, by :func:`ser_pipeline.splits.split.all_splits`.

    Returns:
        Column names, and rows of plain values.

    Raises:
        ManifestError: the tables cannot be read, or the query is not one SELECT that fits them.
    """
    import duckdb

    tables = {
        "manifest": with_names(read_manifest(folder).table),
        "rejects": read_rejects(folder),
        "splits": splits,
    }
    with duckdb.connect(":memory:", config=dict(CONFIG)) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        try:
            _refuse_all_but_select(connection, sql)
            result = connection.execute(sql)
            columns = [column[0] for column in result.description or []]
            rows = result.fetchall()
        except duckdb.Error as error:
            raise ManifestError(f"query: {first_line(error)}; tables are {', '.join(TABLES)}") from None
    return columns, [tuple(plain(cell) for cell in row) for row in rows]


def with_names(table: pa.Table) -> pa.Table:
    """Rows of a manifest as queries see them, with names of emotions and no column named as one of splits."""
    names = pa.array(EMOTION_NAMES)
    ids = table["emotion_id"].to_numpy().astype(np.int64) % len(names)
    place = table.schema.get_field_index("emotion_id") + 1
    view = table.add_column(place, "emotion", names.take(pa.array(ids)))
    return view.rename_columns({"part": "published_part", "fold": "published_fold"})


def first_line(error: Exception) -> str:
    """What DuckDB found wrong, without the place in the query."""
    return next((part for part in str(error).splitlines() if part.strip()), type(error).__name__)


def plain(cell: Any) -> Any:
    """A value that JSON and CSV can hold.

    Examples:
        >>> plain(decimal.Decimal("1.5")), plain(float("nan")), plain({0: 2})
        (1.5, None, {'0': 2})
    """
    if isinstance(cell, decimal.Decimal):
        return float(cell)
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, dict):
        return {str(key): plain(value) for key, value in cell.items()}
    if isinstance(cell, list | tuple):
        return [plain(value) for value in cell]
    if cell is None or isinstance(cell, str | int):
        return cell
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)


def _refuse_all_but_select(connection: "DuckDBPyConnection", sql: str) -> None:
    import duckdb

    statements = connection.extract_statements(sql)
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        found = ", ".join(kind.name for kind in kinds) or "nothing"
        raise ManifestError(f"query: one SELECT is needed, found {found}; tables are {', '.join(TABLES)}")
