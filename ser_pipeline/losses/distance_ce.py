"""The source report's distance-weighted cross-entropy."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ser_pipeline.labels import distance_matrix
from ser_pipeline.losses.ce import CrossEntropy


class DistanceCrossEntropy(CrossEntropy):
    """Mean over clips of cross-entropy times ``D[y, argmax p]``.

    The factor is a constant for the gradient. With the published matrices, whose diagonal is 1, a
    wrong decision costs less than a right one at equal probability: that is the method as published.
    For a target distribution ``t`` the factor is its mean, ``sum_y t[y] D[y, argmax p]``.

    Args:
        emotions: class names in the order of the logits.
        class_weights: shape ``(classes,)``; None weighs all alike.
        label_smoothing: in [0, 1).

    Raises:
        LabelError: the published matrices do not hold an emotion.
    """

    distances: Tensor

    def __init__(
        self, emotions: Sequence[str], *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(emotions, class_weights=class_weights, label_smoothing=label_smoothing)
        self.register_buffer("distances", torch.tensor(distance_matrix(emotions)), persistent=False)

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each clip before clip weights; targets are class numbers or distributions."""
        decided = logits.detach().argmax(1)
        factor = (self._distributions(targets) * self.distances[:, decided].T).sum(1)
        return super()._losses(logits, targets) * factor
