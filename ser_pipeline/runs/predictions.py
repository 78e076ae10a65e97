"""``predictions.parquet`` and ``dimensions.parquet``: a network's output for every clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.atomic import remove_file, write_parquet
from ser_pipeline.errors import RunError
from ser_pipeline.runs.files import read_table, score_again
from ser_pipeline.runs.types import SCORES

PREDICTIONS: Final = "predictions.parquet"
RATINGS: Final = "dimensions.parquet"


@dataclass(frozen=True)
class Predictions:
    """Decisions on the clips of one part.

    Attributes:
        clips: utterance ids.
        target: true class of each clip, shape ``(clips,)``.
        predicted: decided class, shape ``(clips,)``.
        probabilities: shape ``(clips, classes)``.
    """

    clips: tuple[str, ...]
    target: Int64s
    predicted: Int64s
    probabilities: Float64s


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


def write_predictions(folder: Path, table: pa.Table) -> None:
    """Write a run's predictions.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    write_parquet(folder / PREDICTIONS, table)


def write_ratings(folder: Path, table: pa.Table) -> None:
    """Write what a run's network says of valence, arousal and dominance.

    Raises:
        SerError: the folder cannot be written to, or the disk is full.
    """
    write_parquet(folder / RATINGS, table)


def read_ratings(folder: Path) -> pa.Table:
    """Read what a run's network says of valence, arousal and dominance.

    Raises:
        RunError: the file is missing or damaged.
    """
    return read_table(folder / RATINGS, remedy=score_again(folder))


def read_predictions(folder: Path, emotions: Sequence[str]) -> pa.Table:
    """Read a run's predictions, with the columns of :func:`prediction_schema`.

    Raises:
        RunError: they are missing, damaged, or of other emotions.
    """
    path, schema = folder / PREDICTIONS, prediction_schema(emotions)
    table = read_table(path, remedy=score_again(folder))
    if set(table.column_names) != set(schema.names):
        raise RunError(
            f"{path}: has columns {', '.join(table.column_names)}, not those of this run; "
            f"{score_again(folder)}"
        )
    try:
        table = table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path}: cannot be read: {reason}; {score_again(folder)}") from None
    labels = pa.chunked_array([*table["target"].chunks, *table["predicted"].chunks])
    if len(labels) and not 0 <= pc.min(labels).as_py() <= pc.max(labels).as_py() < len(emotions):
        raise RunError(f"{path}: has classes that the run does not know; {score_again(folder)}")
    return table


def read_part(folder: Path, emotions: Sequence[str], part: str) -> Predictions:
    """Read the predictions of a run for the clips of one part, in the order of the file.

    Raises:
        RunError: as :func:`read_predictions`.
    """
    table = read_predictions(folder, emotions)
    rows = table.filter(pc.equal(table["part"], part))
    return Predictions(
        clips=tuple(rows["utterance_id"].to_pylist()),
        target=rows["target"].to_numpy().astype(np.int64),
        predicted=rows["predicted"].to_numpy().astype(np.int64),
        probabilities=probabilities_of(rows, emotions),
    )


def probabilities_of(rows: pa.Table, emotions: Sequence[str]) -> Float64s:
    """Probabilities of some predictions, shape ``(rows, emotions)``.

    Args:
        rows: columns of :func:`prediction_schema`.
        emotions: class names, in their order.
    """
    return np.column_stack([rows[f"p_{name}"].to_numpy() for name in emotions]).astype(np.float64)


def forget_scores(folder: Path) -> None:
    """Take away what says how good a run's weights are: they are about to change."""
    for name in (SCORES, PREDICTIONS, RATINGS):
        remove_file(folder / name)
