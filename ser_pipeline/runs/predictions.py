"""``predictions.parquet``: what a network said of every clip."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ser_pipeline.arrays import Float32s
from ser_pipeline.atomic import write_parquet
from ser_pipeline.datasets.examples import Examples
from ser_pipeline.errors import RunError
from ser_pipeline.records import PARTS

PREDICTIONS = "predictions.parquet"


def prediction_schema(emotions: Sequence[str]) -> pa.Schema:
    """Columns of the predictions of a task; ``target`` and ``predicted`` count from 0 in its order."""
    return pa.schema(
        [
            pa.field("utterance_id", pa.string(), nullable=False),
            pa.field("part", pa.string(), nullable=False),
            pa.field("fold", pa.int16()),
            pa.field("target", pa.int8(), nullable=False),
            pa.field("predicted", pa.int8(), nullable=False),
            *(pa.field(f"p_{name}", pa.float32(), nullable=False) for name in emotions),
        ]
    )


def prediction_table(
    examples: Examples, probabilities: Float32s, emotions: Sequence[str], fold: int | None
) -> pa.Table:
    """Put predictions into their table.

    Args:
        examples: the clips.
        probabilities: shape ``(clips, classes)``.
        emotions: class names.
        fold: that tests the clips of part ``test``; None without folds.
    """
    columns = [
        examples.table["utterance_id"],
        pa.array(np.array(PARTS)[examples.part]),
        pa.array([fold] * len(examples), pa.int16()),
        pa.array(examples.target.astype(np.int8)),
        pa.array(probabilities.argmax(1).astype(np.int8)),
        *(pa.array(np.ascontiguousarray(column)) for column in probabilities.T),
    ]
    schema = prediction_schema(emotions)
    return pa.Table.from_arrays([*columns], schema=schema)


def write_predictions(folder: Path, table: pa.Table) -> None:
    """Write a run's predictions."""
    write_parquet(folder / PREDICTIONS, table)


def read_predictions(folder: Path, emotions: Sequence[str]) -> pa.Table:
    """Read a run's predictions.

    Raises:
        RunError: they are missing, damaged, or of other emotions.
    """
    path = folder / PREDICTIONS
    remedy = f"make it again with 'ser evaluate {folder}'"
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise RunError(f"{path}: not found; {remedy}") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path}: cannot be read: {reason}; {remedy}") from None
    if not table.schema.equals(prediction_schema(emotions)):
        raise RunError(
            f"{path}: has columns {', '.join(table.column_names)}, not those of this run; {remedy}"
        )
    return table
