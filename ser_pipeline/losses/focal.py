"""Focal loss: cross-entropy that turns away from what is already sure."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from ser_pipeline.losses.ce import CrossEntropy

_SURE = 1e-6
"""Probabilities closer to 1 have no gradient: for ``gamma < 1`` it would grow without bound."""


class Focal(CrossEntropy):
    r"""Mean over clips of ``-sum_c q[c] w[c] (1 - p[c])^gamma log p[c]``.

    ``q`` is the smoothed target: ``(1 - s) t[c] + s / K``. Without smoothing that is the published
    ``-(1 - p[y])^gamma log p[y]``; ``gamma = 0`` is cross-entropy.

    Args:
        emotions: class names in the order of the logits.
        class_weights: shape ``(classes,)``; None weighs all alike.
        label_smoothing: in [0, 1).
        gamma: how fast sure clips lose their weight, at least 0.

    References:
        Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 4.
    """

    def __init__(
        self,
        emotions: Sequence[str],
        *,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        gamma: float = 2.0,
    ) -> None:
        super().__init__(emotions, class_weights=class_weights, label_smoothing=label_smoothing)
        self.gamma = gamma

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each clip before clip weights; targets are class numbers or distributions."""
        log_p = F.log_softmax(logits, 1)
        wanted = self._distributions(targets) * (1 - self.label_smoothing)
        wanted = wanted + self.label_smoothing / self.classes
        if self.class_weights is not None:
            wanted = wanted * self.class_weights
        unsure = (1 - log_p.exp()).clamp(min=_SURE) ** self.gamma
        return -(wanted * unsure * log_p).sum(1)
