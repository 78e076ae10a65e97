"""Cross-entropy plus how far off the network expects to be."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ser_pipeline.labels import distance_matrix
from ser_pipeline.losses.ce import CrossEntropy


class ExpectedDistance(CrossEntropy):
    r"""Mean over clips of cross-entropy plus a multiple of the expected distance of a mistake.

    A clip of class ``y`` costs ``CE + distance_weight * w[y] * sum_c p[c] Z[y, c]``, with ``Z`` the
    published distances and a diagonal of zero. It is continuous, and distant mistakes cost more.

    Without label smoothing, moving probability from any wrong class to the true one always lowers
    it. With smoothing ``s``, cross-entropy itself wants each wrong class ``c`` to keep some: there the
    same holds while ``p[y] / p[c] < (K (1 - s) / s + 1) w[y] / w[c]``, which is 37 for ``s = 0.1``,
    four classes and equal weights.

    Args:
        emotions: class names in the order of the logits.
        class_weights: shape ``(classes,)``; None weighs all alike.
        label_smoothing: in [0, 1); the distance knows the true class alone.
        distance_weight: of the expected distance beside cross-entropy.

    Raises:
        LabelError: the published matrices do not hold an emotion.
    """

    penalties: Tensor

    def __init__(
        self,
        emotions: Sequence[str],
        *,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        distance_weight: float = 1.0,
    ) -> None:
        super().__init__(emotions, class_weights=class_weights, label_smoothing=label_smoothing)
        penalties = distance_weight * torch.tensor(distance_matrix(emotions)).fill_diagonal_(0)
        if class_weights is not None:
            penalties = penalties * class_weights.cpu()[:, None]
        self.register_buffer("penalties", penalties, persistent=False)

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each clip before clip weights; targets are class numbers or distributions."""
        distance = (self._distributions(targets) @ self.penalties * logits.softmax(1)).sum(1)
        return super()._losses(logits, targets) + distance
