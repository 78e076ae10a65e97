"""Query the tables in SQL; a query can read them and do nothing else."""

import datetime
import decimal
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest.read import read_manifest, read_rejects
from ser_pipeline.manifest.schema import EMOTION_NAMES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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
        sql: one statement; ``manifest`` has the column ``emotion`` beside ``emotion_id``.
        splits: rows of all splits, by :func:`ser_pipeline.splits.split.all_splits`.

    Returns:
        Column names, and rows of plain values.

    Raises:
        ManifestError: the tables cannot be read, or the query is not one SELECT that fits them.
    """
    import duckdb

    tables = {
        "manifest": manifest_view(folder),
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
            line = next((part for part in str(error).splitlines() if part.strip()), type(error).__name__)
            raise ManifestError(f"query: {line}; tables are {', '.join(TABLES)}") from None
    return columns, [tuple(plain(cell) for cell in row) for row in rows]


def manifest_view(folder: Path) -> pa.Table:
    """The manifest with emotion names beside their ids.

    Raises:
        ManifestError: it cannot be read.
    """
    table = read_manifest(folder).table
    names = pa.array(EMOTION_NAMES)
    ids = table["emotion_id"].to_numpy().astype(np.int64) % len(names)
    place = table.schema.get_field_index("emotion_id") + 1
    return table.add_column(place, "emotion", names.take(pa.array(ids)))


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
