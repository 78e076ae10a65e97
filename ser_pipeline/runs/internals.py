"""What a network made of some clips: where it looked, and where it put them. Result files of a run.

``attention.parquet`` has a row per chosen clip with its mel and the weight of each step;
``embeddings.parquet`` a row per clip with the vector that the head decides from and its place on a map.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from ser_pipeline.arrays import Float32s, Int64s
from ser_pipeline.atomic import remove_file, write_parquet
from ser_pipeline.errors import RunError
from ser_pipeline.runs.files import read_table

ATTENTION: Final = "attention.parquet"
EMBEDDINGS: Final = "embeddings.parquet"


_FIRST_SCHEMA: Final = pa.schema(
    [
        pa.field("utterance_id", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),
        pa.field("target", pa.int8(), nullable=False),
        pa.field("predicted", pa.int8(), nullable=False),
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("n_mels", pa.int16(), nullable=False),
        pa.field("mel", pa.list_(pa.float32()), nullable=False),
        pa.field("weights", pa.list_(pa.float32()), nullable=False),
    ]
)
"""Of files that were written before networks on mels could be explained."""

_ATTENTION_SCHEMA: Final = pa.schema(
    [
        *_FIRST_SCHEMA,
        pa.field("moved_rows", pa.int16(), nullable=False),
        pa.field("moved", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True)
class AttendedClip:
    """Where a network looked in one clip.

    Attributes:
        utterance_id: of the clip.
        part: of the split.
        target: true class number.
        predicted: decided class number.
        probability: stated for the decision.
        mel: as the network was given it, without padding, shape ``(n_mels, frames)``.
        weights: of steps of equal length over the frames, shape ``(steps,)``; the sum is 1.
        moved: how far the log-odds of the decision fall when a patch of the mel is taken away, low bands
            first, shape ``(rows, columns)``; without rows where the run was not explained.
    """

    utterance_id: str
    part: str
    target: int
    predicted: int
    probability: float
    mel: Float32s
    weights: Float32s
    moved: Float32s = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(frozen=True)
class Embeddings:
    """Where a network put clips.

    Attributes:
        clips: utterance ids.
        part: of the split.
        target: true class numbers, shape ``(clips,)``.
        vectors: what the head decides from, shape ``(clips, d)``.
        places: on a map on which near vectors lie near, shape ``(clips, 2)``.
    """

    clips: tuple[str, ...]
    part: str
    target: Int64s
    vectors: Float32s
    places: Float32s


def write_attention(folder: Path, clips: Sequence[AttendedClip]) -> None:
    """Write a run's chosen clips."""
    rows = [
        {
            "utterance_id": clip.utterance_id,
            "part": clip.part,
            "target": clip.target,
            "predicted": clip.predicted,
            "probability": clip.probability,
            "n_mels": len(clip.mel),
            "mel": clip.mel.ravel(),
            "weights": clip.weights,
            "moved_rows": len(clip.moved),
            "moved": clip.moved.ravel(),
        }
        for clip in clips
    ]
    write_parquet(folder / ATTENTION, pa.Table.from_pylist(rows, _ATTENTION_SCHEMA))


def read_attention(folder: Path) -> list[AttendedClip]:
    """Read a run's chosen clips; none where it keeps none.

    Raises:
        RunError: the file is damaged or another one.
    """
    table = _read(folder / ATTENTION, folder)
    if table is None:
        return []
    known = table.schema.equals(_ATTENTION_SCHEMA) or table.schema.equals(_FIRST_SCHEMA)
    _check(known, folder / ATTENTION, folder)
    return [
        AttendedClip(
            utterance_id=row["utterance_id"],
            part=row["part"],
            target=row["target"],
            predicted=row["predicted"],
            probability=row["probability"],
            mel=np.array(row["mel"], np.float32).reshape(row["n_mels"], -1),
            weights=np.array(row["weights"], np.float32),
            moved=_rows(row.get("moved", []), row.get("moved_rows", 0)),
        )
        for row in table.to_pylist()
        if row["n_mels"] > 0 and len(row["mel"]) % row["n_mels"] == 0
    ]


def _rows(flat: Sequence[float], rows: int) -> Float32s:
    """A map of this many rows; empty where the numbers do not fit."""
    fits = rows > 0 and len(flat) % rows == 0
    return np.array(flat, np.float32).reshape(rows, -1) if fits else np.zeros((0, 0), np.float32)


def write_embeddings(folder: Path, found: Embeddings) -> None:
    """Write where a run's network put clips."""
    width = found.vectors.shape[1]
    flat = pa.array(np.ascontiguousarray(found.vectors, np.float32).ravel())
    columns: dict[str, Any] = {
        "utterance_id": pa.array(found.clips, pa.string()),
        "part": pa.array([found.part] * len(found.clips), pa.string()),
        "target": pa.array(found.target.astype(np.int8)),
        "x": pa.array(np.ascontiguousarray(found.places[:, 0], np.float32)),
        "y": pa.array(np.ascontiguousarray(found.places[:, 1], np.float32)),
        "vector": pa.FixedSizeListArray.from_arrays(flat, width),
    }
    write_parquet(folder / EMBEDDINGS, pa.table(columns))


def read_embeddings(folder: Path) -> Embeddings | None:
    """Read where a run's network put clips; None where that was not kept.

    Raises:
        RunError: the file is damaged or another one.
    """
    table = _read(folder / EMBEDDINGS, folder)
    if table is None:
        return None
    names = ["utterance_id", "part", "target", "x", "y", "vector"]
    fits = table.column_names == names and pa.types.is_fixed_size_list(table.schema.field("vector").type)
    _check(fits and table.num_rows > 0, folder / EMBEDDINGS, folder)
    vectors = table["vector"].combine_chunks()
    return Embeddings(
        clips=tuple(table["utterance_id"].to_pylist()),
        part=table["part"][0].as_py(),
        target=table["target"].to_numpy().astype(np.int64),
        vectors=vectors.flatten().to_numpy().reshape(table.num_rows, -1).astype(np.float32),
        places=np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1).astype(np.float32),
    )


def drop_internals(folder: Path) -> None:
    """Remove both files: a network that is scored again may have neither."""
    for name in (ATTENTION, EMBEDDINGS):
        remove_file(folder / name)


def _read(path: Path, folder: Path) -> pa.Table | None:
    return read_table(path, remedy=_again(folder)) if path.exists() else None


def _again(folder: Path) -> str:
    return f"make it again with 'ser evaluate {folder}'"


def _check(fits: bool, path: Path, folder: Path) -> None:
    if not fits:
        raise RunError(f"{path}: is not what a run keeps; {_again(folder)}")
