"""Targets as distributions: what the raters of a clip heard."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ser_pipeline.datasets.examples import class_lookup
from ser_pipeline.labels import Task

Float32s = npt.NDArray[np.float32]


def soft_targets(
    votes: pa.ChunkedArray, targets: npt.NDArray[np.int64], task: Task, *, share: float = 1.0
) -> Float32s:
    """Turn votes into distributions over a task's classes.

    Votes for emotions outside the task count for nothing; those for merged ones count as what they
    merge into.

    Args:
        votes: the manifest's column, emotion id -> number of raters, ``(clips,)``.
        targets: class numbers, shape ``(clips,)``.
        task: classes and merges.
        share: of the target that follows the votes; the rest stays with the clip's own class.

    Returns:
        Shape ``(clips, classes)``, rows sum to 1. A clip without a vote for any of the classes keeps
        its own class whole.
    """
    own = np.eye(len(task.emotions))[targets]
    counts = vote_counts(votes, task)
    total = counts.sum(1, keepdims=True)
    heard = np.divide(counts, total, out=own.copy(), where=total > 0)
    mixed: Float32s = (share * heard + (1 - share) * own).astype(np.float32)
    return mixed


def vote_counts(votes: pa.ChunkedArray, task: Task) -> npt.NDArray[np.float64]:
    """Count each clip's votes by class of a task, shape ``(clips, classes)``."""
    clip, identity, count = vote_cells(votes)
    classes = class_lookup(task)[identity]
    inside = classes >= 0
    counts = np.zeros((len(votes), len(task.emotions)))
    np.add.at(counts, (clip[inside], classes[inside]), count[inside])
    return counts


def vote_cells(
    votes: pa.ChunkedArray,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Take the vote column apart: clip number, emotion id and number of raters of each entry."""
    flat = pa.concat_arrays(list(votes.chunks) or [pa.array([], votes.type)])
    lengths = np.diff(flat.offsets.to_numpy())
    clip = np.repeat(np.arange(len(flat)), lengths)
    span = slice(flat.offsets[0].as_py(), flat.offsets[-1].as_py())
    return (
        clip,
        np.asarray(flat.keys.to_numpy(zero_copy_only=False), np.int64)[span],
        np.asarray(flat.items.to_numpy(zero_copy_only=False), np.float64)[span],
    )
