"""``cells.parquet``: one row per cell and seed, with settings, scores, cost and status."""

import json
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ser_pipeline.atomic import write_parquet
from ser_pipeline.experiments.cells import Cell
from ser_pipeline.experiments.identity import deciding
from ser_pipeline.experiments.place import CellRecord
from ser_pipeline.experiments.progress import Progress
from ser_pipeline.findings import CELLS_TABLE

_NUMBERS: Final = (
    "train_clips", "test_clips", "test_speakers", "parameters", "best_epoch", "validation_uar", "accuracy",
    "uar", "macro_f1", "ece", "error_distance", "seconds", "front_end_ms", "network_ms",
)  # fmt: skip
"""Columns that come from the record of a cell that is done; null in others."""

_WHOLE: Final = frozenset({"train_clips", "test_clips", "test_speakers", "parameters", "best_epoch"})

SCHEMA: Final = pa.schema(
    [
        *(
            pa.field(name, pa.string(), nullable=False)
            for name in ("experiment", "arm", "protocol", "model", "task", "split")
        ),
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        *(pa.field(name, pa.int64() if name in _WHOLE else pa.float64()) for name in _NUMBERS),
        pa.field("settings", pa.string(), nullable=False),
    ]
)
"""``settings`` is JSON: what decides the model, by ``group.name``."""


def cell_table(progress: Progress) -> pa.Table:
    """Put all cells into their table, in the experiment's order."""
    name = progress.design.experiment.name
    return pa.Table.from_pylist([_row(name, progress, cell) for cell in progress.cells], SCHEMA)


def _row(name: str, progress: Progress, cell: Cell) -> dict[str, Any]:
    state, recipe = progress.state(cell), cell.recipe
    record: CellRecord | None = state.record
    return {
        "experiment": name,
        "arm": cell.arm,
        "protocol": cell.protocol,
        "model": recipe.model.name,
        "task": recipe.task,
        "split": recipe.split,
        "seed": cell.seed,
        "status": state.status,
        "reason": state.reason,
        "key": cell.key,
        **{number: None if record is None else getattr(record, number) for number in _NUMBERS},
        "settings": json.dumps(deciding(recipe), sort_keys=True),
    }


def write_table(folder: Path, table: pa.Table) -> Path:
    """Write the table, whole or not at all."""
    path = folder / CELLS_TABLE
    write_parquet(path, table)
    return path
