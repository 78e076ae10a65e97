"""Pick recordings of a manifest by a condition over its columns, such as ``agreement >= 0.6``."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Bools
from ser_pipeline.errors import ManifestError, SettingsError
from ser_pipeline.manifest.read import CONFIG, Manifest, first_line, with_names
from ser_pipeline.options.checks import nearest
from ser_pipeline.tables.cells import plural, thousands

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NOT_OF_ONE: Final = {
    "SUBQUERY": "a query inside it",
    "WINDOW": "a function over several recordings",
    "LAMBDA": "a function of its own",
    "STAR": "'*'",
    "PARAMETER": "a parameter",
}
"""Kinds of an expression that are not about one recording, in words."""


@dataclass(frozen=True)
class Chosen:
    """Recordings for which a condition holds.

    Attributes:
        rows: whether it holds, shape ``(rows,)``.
        unknown: whether it cannot be told, because a value is missing, shape ``(rows,)``.
        lacking: columns without a value in some of these.
    """

    rows: Bools
    unknown: Bools
    lacking: tuple[str, ...]

    def among(self, rows: Bools) -> "Chosen":
        """The same of some recordings alone: the condition neither holds nor fails for the others."""
        return Chosen(self.rows & rows, self.unknown & rows, self.lacking)

    @property
    def left_out(self) -> str:
        """How many recordings are left out because a value is missing, in words; "" if none are."""
        number = int(self.unknown.sum())
        if not number:
            return ""
        what = " or no ".join(self.lacking) or "value of the condition"
        have, are = ("recordings have", "are") if number > 1 else ("recording has", "is")
        return f"{thousands(number)} {have} no {what} and {are} left out"


def chosen_by(table: pa.Table, condition: str) -> Chosen:
    """Find the recordings for which a condition holds.

    Args:
        table: of a manifest, with all its columns.
        condition: an SQL expression (DuckDB) over the columns that ``ser manifest query`` shows; "" holds
            for every recording. No file can be read or written, and no other table.

    Raises:
        SettingsError: it is not a condition on one recording, or names a column that does not exist.
    """
    if not condition.strip():
        every = np.ones(len(table), bool)
        return Chosen(every, ~every, ())
    import duckdb

    view = with_names(table)
    columns = _columns(condition, tuple(view.column_names))
    with duckdb.connect(":memory:", config=dict(CONFIG)) as connection:
        connection.register("manifest", view.select(columns) if columns else view)
        try:
            found = connection.sql(f"SELECT ({condition}\n) AS holds FROM manifest")
            if (kind := str(found.types[0])) != "BOOLEAN":
                raise _refused(condition, f"gives {kind}, not a condition; write one as in agreement >= 0.6")
            holds = found.fetchnumpy()["holds"]
        except duckdb.Error as error:
            raise _refused(condition, _reason(error)) from None
    known = np.ones(len(table), bool) & ~np.ma.getmaskarray(holds)
    rows = np.asarray(np.ma.filled(holds, False), bool)
    unknown = pa.array(~known)
    lacking = tuple(name for name in columns if view[name].filter(unknown).null_count)
    return Chosen(rows, ~known, lacking)


def manifest_where(manifest: Manifest, condition: str) -> tuple[Manifest, str]:
    """The recordings of a manifest for which a condition holds.

    Args:
        manifest: with all its columns.
        condition: as for :func:`chosen_by`.

    Returns:
        The same manifest with those rows alone, and a sentence on those that lack a value; "" for none.

    Raises:
        SettingsError: the condition does not fit.
        ManifestError: it holds for no recording.
    """
    found = chosen_by(manifest.table, condition)
    if not found.rows.any():
        raise ManifestError(no_match(condition, found, manifest.table.num_rows))
    return replace(manifest, table=manifest.table.filter(pa.array(found.rows))), found.left_out


def no_match(condition: str, found: Chosen, rows: int) -> str:
    """Say that a condition holds for none of some recordings."""
    why = f"; {found.left_out}" if found.left_out else ""
    return f'--where "{condition}" holds for none of {plural(rows, "recording")}{why}'


@lru_cache(maxsize=64)
def _columns(condition: str, known: tuple[str, ...]) -> list[str]:
    """Columns that a condition names, after checking that it is about one recording alone."""
    import duckdb

    with duckdb.connect(":memory:", config=dict(CONFIG)) as connection:
        try:
            duckdb.SQLExpression(condition)
            found = connection.execute("SELECT json_serialize_sql('SELECT ' || ?)", [condition]).fetchall()
        except duckdb.Error as error:
            raise _refused(condition, _reason(error)) from None
        parsed = json.loads(found[0][0])
        if parsed["error"]:
            raise _refused(condition, parsed["error_message"])
        nodes = [*_nodes(parsed["statements"][0]["node"]["select_list"])]
        _refuse_unsteady(connection, condition, nodes)
    named = [node["column_names"] for node in nodes if node.get("class") == "COLUMN_REF"]
    by_name = {name.lower(): name for name in known}
    for parts in named:
        word = ".".join(parts)
        if word.lower() not in by_name:
            quoted = "; text is written in single quotes, as in emotion = 'anger'" if '"' in condition else ""
            close, valid = nearest(word.lower(), known), ", ".join(known)
            raise _refused(condition, f"there is no column {word!r}{close}; valid are {valid}{quoted}")
    return [*dict.fromkeys(by_name[parts[0].lower()] for parts in named)]


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every part of a parsed expression."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(inner)


def _refuse_unsteady(connection: "DuckDBPyConnection", condition: str, nodes: list[dict[str, Any]]) -> None:
    """Refuse what looks beyond one recording, or says something else another time."""
    for node in nodes:
        if (kind := node.get("class")) in _NOT_OF_ONE:
            raise _refused(
                condition, f"must be a condition on one recording alone; found {_NOT_OF_ONE[str(kind)]}"
            )
    called = [str(node["function_name"]).lower() for node in nodes if node.get("class") == "FUNCTION"]
    about = connection.execute(
        "SELECT DISTINCT function_name, function_type, stability FROM duckdb_functions() "
        "WHERE list_contains(?, function_name) ORDER BY ALL",
        [called],
    ).fetchall()
    for name, kind, stability in about:
        if kind == "aggregate":
            raise _refused(condition, f"must be a condition on one recording alone; {name}() covers several")
        if stability not in ("CONSISTENT", None):
            raise _refused(condition, f"{name}() gives another value each time; leave it out")


def _reason(error: Exception) -> str:
    """What DuckDB found wrong, without the class of the error and the place in a query that nobody wrote."""
    line = first_line(error)
    return line.partition(" Error: ")[2] or line


def _refused(condition: str, why: str) -> SettingsError:
    return SettingsError(f'--where "{condition}": {why}')
