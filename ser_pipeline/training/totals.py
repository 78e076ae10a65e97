"""What is summed over an epoch, and the scores that follow from the sums."""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ser_pipeline.metrics import RATING_SUMS, accuracy, mean_ccc, rating_scores, uar

Reduce = Callable[[Tensor], Tensor]


class Totals:
    """Confusion counts and summed loss; they stay on the device until scores are asked for.

    Args:
        classes: number of classes.
        device: to count on.

    Attributes:
        seconds: wall time between making and stopping this.
    """

    def __init__(self, classes: int, device: torch.device | str = "cpu") -> None:
        self.classes = classes
        self.confusion = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), dtype=_exact(device), device=device)
        self.seconds = 0.0
        self._started = time.perf_counter()

    def add(self, losses: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            losses: of each clip, shape ``(batch,)``.
            logits: shape ``(batch, classes)``.
            targets: class numbers, shape ``(batch,)``.
        """
        cells = targets * self.classes + logits.detach().argmax(1)
        self.confusion.index_add_(0, cells, torch.ones_like(cells))  # bincount would wait for the device
        self.loss += losses.detach().sum(dtype=self.loss.dtype)

    def stop(self) -> None:
        """Take the time; only the first call counts."""
        self.seconds = self.seconds or time.perf_counter() - self._started

    def scores(self, reduce: Reduce) -> dict[str, float | None]:
        """Mean loss, accuracy and UAR; None without clips.

        Args:
            reduce: sums a tensor over all processes.
        """
        confusion = reduce(self.confusion).cpu().numpy().reshape(self.classes, self.classes)
        loss = float(reduce(self.loss))
        clips = int(confusion.sum())
        if clips == 0:
            return {"clips": 0, "loss": None, "accuracy": None, "uar": None}
        return {
            "clips": clips,
            "loss": loss / clips,
            "accuracy": float(accuracy(confusion)),
            "uar": float(uar(confusion)),
        }


class RatingTotals(Totals):
    """The same for ratings: sums of which concordance and mean square error are made.

    Args:
        dimensions: that are rated.
        rating_loss: which of the two is the loss.
        device: to count on.
    """

    def __init__(self, dimensions: int, rating_loss: str, device: torch.device | str = "cpu") -> None:
        super().__init__(1, device)
        self.rating_loss = rating_loss
        self.sums = torch.zeros(dimensions, RATING_SUMS, dtype=_exact(device), device=device)

    def add(self, losses: Tensor, logits: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            losses: not looked at: the concordance of all clips is no mean over batches.
            logits: ratings of the network, shape ``(batch, dimensions)``.
            targets: ratings of listeners, NaN where a clip has none, same shape.
        """
        x, y = targets.to(self.sums.dtype), logits.detach().to(self.sums.dtype)
        columns = torch.stack([torch.ones_like(x), x, y, x * x, y * y, x * y, (x - y).abs()])
        self.sums += columns.masked_fill(x.isnan(), 0).sum(1).T

    def scores(self, reduce: Reduce) -> dict[str, float | None]:
        """Loss, and mean concordance over the dimensions; None where nothing was rated.

        Args:
            reduce: sums a tensor over all processes.
        """
        sums = reduce(self.sums).cpu().numpy().astype(np.float64)
        rated = sums[sums[:, 0] > 0]
        found = rating_scores(rated)
        concordance = mean_ccc(found["ccc"])
        if concordance is None:
            return {"clips": 0, "loss": None, "ccc": None}
        loss = 1 - concordance if self.rating_loss == "ccc" else float((found["rmse"] ** 2).mean())
        return {"clips": int(sums[:, 0].max()), "loss": loss, "ccc": concordance}


def _exact(device: torch.device | str) -> torch.dtype:
    """The most exact floats of a device: MPS has none with 64 bits."""
    return torch.float32 if torch.device(device).type == "mps" else torch.float64
