"""Training clips with what validation and test clips never have: votes as targets, weights, ratings."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ser_pipeline.datasets.batch import Batch, Clips


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
