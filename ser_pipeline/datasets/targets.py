"""Training targets: classes, raters' votes as distributions, and the weight of each clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from ser_pipeline.arrays import Float32s, Float64s, Int64s, texts_of
from ser_pipeline.datasets.batch import Batch, Clips, rows_of
from ser_pipeline.datasets.examples import Examples, class_lookup
from ser_pipeline.labels import Task
from ser_pipeline.manifest.ambiguity import vote_cells
from ser_pipeline.runs.learned import TeacherInfo

COLUMNS: Final = ("corpus", "intensity", "emotion_id", "votes", "rated_intensity")
"""Columns of the manifest that weights follow from."""

ACTED: Final[Mapping[str, float]] = MappingProxyType(
    {"low": -1.0, "normal": 0.0, "unspecified": 0.0, "high": 1.0}
)
"""What a clip's acted intensity says, on a scale from -1 to 1."""


class JoinedClips(Clips):
    """Clips of several sets as one, numbered set after set.

    Args:
        parts: the sets.
    """

    def __init__(self, parts: Sequence[Clips]) -> None:
        self.parts = tuple(parts)
        self.ends = np.cumsum([len(part) for part in parts])
        self._number_shards()

    @staticmethod
    def memory_limits(sets: Sequence[Clips | None], limit: int) -> list[int]:
        """Bytes that each of several sets may keep, so that all of them are kept in memory or none.

        Were some kept, the others would be read from all over the disk: all have one order.

        Args:
            sets: as they are read; None for one of vectors alone.
            limit: bytes of all together.
        """
        sizes = [0 if each is None else each.nbytes for each in sets]
        return [limit * size // max(1, sum(sizes)) for size in sizes]

    def _number_shards(self) -> None:
        """Number the shards of all sets where all are read in batches: a shard of one is none of another."""
        shards = [part.shards for part in self.parts if part.shards is not None]
        if len(shards) < len(self.parts):
            self.shards, self.buffer = None, 0
            return
        starts = np.cumsum([0, *(int(part.max(initial=-1)) + 1 for part in shards)])
        self.shards = np.concatenate([part + start for part, start in zip(shards, starts, strict=False)])
        self.buffer = sum(part.buffer for part in self.parts)

    @property
    def nbytes(self) -> int:
        """Those of all sets."""
        return sum(part.nbytes for part in self.parts)

    def hold(self, device: torch.device | str) -> None:
        """Hold all sets on a device; see :meth:`Clips.hold`."""
        for part in self.parts:
            part.hold(device)
        self._number_shards()

    def __len__(self) -> int:
        """Number of clips."""
        return int(self.ends[-1])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once, in the order asked for."""
        numbers = np.asarray(indices, np.int64)
        part = np.searchsorted(self.ends, numbers, side="right")
        inner = numbers - np.concatenate([[0], self.ends])[part]
        order = np.argsort(part, kind="stable")
        batches = [
            self.parts[which].__getitems__(inner[order[part[order] == which]].tolist())
            for which in np.unique(part).tolist()
        ]
        back = torch.from_numpy(np.argsort(order, kind="stable"))
        lengths, targets = (
            rows_of(torch.cat([batch[column] for batch in batches]), back) for column in (1, 2)
        )
        inputs = rows_of(_joined([batch.inputs for batch in batches]), back)
        beside = [batch.beside for batch in batches if batch.beside is not None]
        vectors = rows_of(torch.cat(beside), back) if beside else None
        return Batch(inputs, lengths, targets, torch.from_numpy(numbers), beside=vectors)


def _joined(inputs: Sequence[Tensor]) -> Tensor:
    """Inputs of several batches as those of one; steps are as many as the longest clip has."""
    if inputs[0].ndim < 4 or len({each.shape[1] for each in inputs}) == 1:
        return torch.cat([*inputs])
    longest = max(each.shape[1] for each in inputs)
    return torch.cat([F.pad(each, (0, 0, 0, 0, 0, longest - each.shape[1])) for each in inputs])


class TrainingClips(Clips):
    """Clips whose batches carry soft targets and weights.

    Args:
        clips: what is given to the network.
        soft: distributions over the classes, shape ``(clips, classes)``; None keeps each clip's own class.
        weights: shape ``(clips,)``; None weighs all alike.
        ratings: NaN where there is none, shape ``(clips, dimensions)``; None for none.
        taught: embeddings that a teacher gives, NaN where it gives none, shape ``(clips, d)``; None for none.
    """

    def __init__(
        self,
        clips: Clips,
        soft: Float32s | None = None,
        weights: Float32s | None = None,
        ratings: Float32s | None = None,
        taught: Float32s | None = None,
    ) -> None:
        self.clips = clips
        given = {"soft": soft, "weights": weights, "ratings": ratings, "taught": taught}
        self.carried = {name: torch.from_numpy(each) for name, each in given.items() if each is not None}
        self.shards, self.buffer = clips.shards, clips.buffer

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once."""
        batch = self.clips.__getitems__(indices)
        return batch._replace(**{name: rows_of(each, batch.numbers) for name, each in self.carried.items()})

    @property
    def nbytes(self) -> int:
        """Those of the clips, and of what their batches carry."""
        return self.clips.nbytes + sum(each.nbytes for each in self.carried.values())

    def hold(self, device: torch.device | str) -> None:
        """Hold all on a device; see :meth:`Clips.hold`."""
        self.clips.hold(device)
        self.carried = {name: each.to(device) for name, each in self.carried.items()}
        self.shards, self.buffer = self.clips.shards, self.clips.buffer


@dataclass(frozen=True)
class Taught:
    """What a teacher says of a run's training clips, and of recordings without a label after them.

    Attributes:
        info: who teaches.
        probabilities: at the temperature asked for, NaN where there are none, shape ``(clips, classes)``.
        embeddings: NaN where there are none, shape ``(clips, d)``; None where they are not learned.
        unlabelled: the recordings without a label, each of the class the teacher finds most probable.
        positions: their rows in the store that the network reads, shape ``(recordings,)``.
    """

    info: TeacherInfo
    probabilities: Float32s
    embeddings: Float32s | None
    unlabelled: Examples
    positions: Int64s

    def mixed(self, own: Float32s, rows: Int64s, *, share: float) -> Float32s:
        """Targets that follow the teacher by a share, and wholly if there is no label.

        Args:
            own: targets without a teacher, shape ``(rows, classes)``.
            rows: which of :attr:`probabilities` each is, shape ``(rows,)``.
            share: of the target.
        """
        said = self.probabilities[rows]
        labelled = rows < len(self.probabilities) - len(self.unlabelled)
        weight = np.where(labelled, share, 1.0)[:, None] * ~np.isnan(said).any(1, keepdims=True)
        mixed: Float32s = ((1 - weight) * own + weight * np.nan_to_num(said)).astype(np.float32)
        return mixed


def soft_targets(votes: pa.ChunkedArray, targets: Int64s, task: Task, *, share: float = 1.0) -> Float32s:
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


def vote_counts(votes: pa.ChunkedArray, task: Task) -> Float64s:
    """Count each clip's votes by class of a task, shape ``(clips, classes)``."""
    clip, identity, count = vote_cells(votes)
    classes = class_lookup(task)[identity]
    inside = classes >= 0
    counts = np.zeros((len(votes), len(task.emotions)))
    np.add.at(counts, (clip[inside], classes[inside]), count[inside])
    return counts


def intensity_weights(table: pa.Table, *, strength: float) -> Float32s:
    """Weigh clips by ``exp(strength * evidence)``, with a mean of 1 within each corpus.

    Evidence is the sum of what is known: the acted level (low -1, normal 0, high 1), the raters'
    mean intensity and the share of raters who heard the emotion that the clip stands for, both
    stretched from [0, 1] to [-1, 1]; what is not known counts 0. So a clip's weight rises with each
    of them. As every corpus keeps its total weight, none gains by having been rated.

    Args:
        table: columns :data:`COLUMNS` of the training clips.
        strength: 0 weighs all alike.

    Returns:
        Shape ``(clips,)``; the mean is 1.
    """
    acted = np.array([ACTED[level] for level in table["intensity"].to_pylist()])
    rated = np.asarray(table["rated_intensity"].to_numpy(zero_copy_only=False), np.float64)
    evidence = acted + _stretched(rated) + _stretched(intended_share(table))
    raw = np.exp(strength * evidence)
    _, corpus = np.unique(texts_of(table["corpus"]), return_inverse=True)
    mean = np.bincount(corpus, raw) / np.bincount(corpus)
    weights: Float32s = (raw / mean[corpus]).astype(np.float32)
    return weights


def intended_share(table: pa.Table) -> Float64s:
    """Share of raters who heard each clip's own emotion, shape ``(clips,)``; NaN without votes."""
    clip, identity, count = vote_cells(table["votes"])
    own = identity == table["emotion_id"].to_numpy()[clip]
    total = np.bincount(clip, count, len(table))
    share = np.full(len(table), np.nan)
    np.divide(np.bincount(clip, count * own, len(table)), total, out=share, where=total > 0)
    return share


def _stretched(shares: Float64s) -> Float64s:
    """From [0, 1] to [-1, 1]; 0 for what is not known."""
    return np.nan_to_num(2 * shares - 1, nan=0.0)
