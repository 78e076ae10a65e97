"""Sums over the clips of an epoch, from which its scores follow."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from ser_pipeline.metrics import accuracy, uar

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
        kind = torch.float32 if torch.device(device).type == "mps" else torch.float64  # MPS has no float64
        self.loss = torch.zeros((), dtype=kind, device=device)
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
        self.confusion += torch.bincount(cells, minlength=len(self.confusion))
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
