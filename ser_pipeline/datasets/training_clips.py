"""Training clips with what validation and test clips never have: votes as targets, weights, ratings."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ser_pipeline.datasets.batch import Batch, Clips


class JoinedClips(Clips):
    """Clips of several sets as one, numbered set after set.

    Args:
        parts: the sets, all of as many clips.
    """

    def __init__(self, parts: Sequence[Clips]) -> None:
        self.parts = tuple(parts)
        self.each = len(parts[0])
        shards = [part.shards for part in parts if part.shards is not None]
        if len(shards) == len(parts):  # a shard of one store is none of another
            starts = np.cumsum([0, *(int(part.max(initial=-1)) + 1 for part in shards)])
            self.shards = np.concatenate([part + start for part, start in zip(shards, starts, strict=False)])
            self.buffer = sum(part.buffer for part in parts)

    def __len__(self) -> int:
        """Number of clips."""
        return self.each * len(self.parts)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once, in the order asked for."""
        numbers = np.asarray(indices, np.int64)
        part, inner = np.divmod(numbers, self.each)
        order = np.argsort(part, kind="stable")
        batches = [
            self.parts[which].__getitems__(inner[order[part[order] == which]].tolist())
            for which in np.unique(part).tolist()
        ]
        back = torch.from_numpy(np.argsort(order, kind="stable"))
        inputs, lengths, targets = (
            torch.cat([batch[column] for batch in batches])[back] for column in range(3)
        )
        return Batch(inputs, lengths, targets, torch.from_numpy(numbers))


class TrainingClips(Clips):
    """Clips whose batches carry soft targets and weights.

    Args:
        clips: what is given to the network.
        soft: distributions over the classes, shape ``(clips, classes)``; None keeps each clip's own class.
        weights: shape ``(clips,)``; None weighs all alike.
        ratings: valence, arousal and dominance, NaN where there is none, shape ``(clips, 3)``; None for none.
    """

    def __init__(
        self,
        clips: Clips,
        soft: npt.NDArray[np.float32] | None = None,
        weights: npt.NDArray[np.float32] | None = None,
        ratings: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self.clips = clips
        self.soft = None if soft is None else torch.from_numpy(soft)
        self.weights = None if weights is None else torch.from_numpy(weights)
        self.ratings = None if ratings is None else torch.from_numpy(ratings)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.clips)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Some clips at once."""
        batch = self.clips.__getitems__(indices)
        return batch._replace(
            soft=None if self.soft is None else self.soft[batch.numbers],
            weights=None if self.weights is None else self.weights[batch.numbers],
            ratings=None if self.ratings is None else self.ratings[batch.numbers],
        )
