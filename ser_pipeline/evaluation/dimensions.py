"""``dimensions.parquet``: valence, arousal and dominance of every clip, and how well they follow ratings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_pipeline.atomic import write_parquet
from ser_pipeline.datasets.examples import Examples
from ser_pipeline.metrics import ccc
from ser_pipeline.models.dimensions import DIMENSIONS
from ser_pipeline.records import PARTS
from ser_pipeline.results import RunScores

RATINGS = "dimensions.parquet"


def dimension_table(examples: Examples, rated: npt.NDArray[np.float32], fold: int | None) -> pa.Table:
    """Put a network's ratings into their table, with the raters' own beside them.

    Args:
        examples: the clips.
        rated: by the network, shape ``(clips, 3)``.
        fold: that tests the clips of part ``test``; None without folds.
    """
    known = examples.ratings()
    columns: dict[str, Any] = {
        "utterance_id": examples.table["utterance_id"],
        "part": pa.array(np.array(PARTS)[examples.part]),
        "fold": pa.array([fold] * len(examples), pa.int16()),
    }
    for place, name in enumerate(DIMENSIONS):
        columns[name] = pa.array(np.ascontiguousarray(rated[:, place]))
        columns[f"rated_{name}"] = pa.array(np.ascontiguousarray(known[:, place]), from_pandas=True)
    return pa.table(columns)


def keep_dimensions(folder: Path, table: pa.Table, scores: RunScores) -> RunScores:
    """Write a run's ratings, and add to its scores how closely they follow the raters'.

    Args:
        folder: of the run.
        table: from :func:`dimension_table`.
        scores: of the same clips.
    """
    write_parquet(folder / RATINGS, table)
    return with_concordance(scores, table)


def tested_dimensions(folders: Sequence[Path]) -> pa.Table:
    """Ratings of the test clips of several folds, one after another."""
    tables = [pq.read_table(folder / RATINGS) for folder in folders]
    return pa.concat_tables(table.filter(pc.equal(table["part"], "test")) for table in tables)


def with_concordance(scores: RunScores, table: pa.Table) -> RunScores:
    """Add to each part's scores how closely the network's ratings follow the raters'.

    Args:
        scores: of the same clips.
        table: from :func:`dimension_table`.
    """
    parts = {}
    for part, found in scores.parts.items():
        rows = table.filter(pc.equal(table["part"], part))
        agreement = {name: ccc(_column(rows, f"rated_{name}"), _column(rows, name)) for name in DIMENSIONS}
        parts[part] = found.model_copy(update={"concordance": agreement})
    return scores.model_copy(update={"parts": parts})


def _column(rows: pa.Table, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(rows[name].to_numpy(zero_copy_only=False), np.float64)
