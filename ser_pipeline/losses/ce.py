"""Cross-entropy with class weights, label smoothing, soft targets and clip weights."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class CrossEntropy(nn.Module):
    r"""Mean over clips of smoothed, weighted cross-entropy.

    With smoothing ``s``, weights ``w`` and K classes, a clip of class ``y`` costs
    ``-(1 - s) w[y] log p[y] - (s / K) sum_c w[c] log p[c]``. With a distribution ``t`` in place of
    the class it costs ``-sum_c ((1 - s) t[c] + s / K) w[c] log p[c]``. The mean is over clips, not over
    weights, so that a batch's gradient is an unbiased part of the whole set's.

    Args:
        emotions: class names in the order of the logits.
        class_weights: shape ``(classes,)``; None weighs all alike.
        label_smoothing: in [0, 1).
    """

    class_weights: Tensor | None

    def __init__(
        self, emotions: Sequence[str], *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.classes = len(emotions)
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(
        self, logits: Tensor, targets: Tensor, *, soft: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Loss of a batch, a scalar."""
        return self.per_clip(logits, targets, soft=soft, weights=weights).mean()

    def per_clip(
        self, logits: Tensor, targets: Tensor, *, soft: Tensor | None = None, weights: Tensor | None = None
    ) -> Tensor:
        """Loss of each clip, computed in fp32.

        Args:
            logits: shape ``(batch, classes)``.
            targets: class numbers, shape ``(batch,)``; not looked at where ``soft`` is given.
            soft: distributions over the classes in their place, shape ``(batch, classes)``.
            weights: of the clips, shape ``(batch,)``; None weighs all alike.

        Returns:
            Shape ``(batch,)``.
        """
        losses = self._losses(logits.float(), targets if soft is None else soft.float())
        return losses if weights is None else losses * weights

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each clip before clip weights; targets are class numbers or distributions."""
        return F.cross_entropy(
            logits,
            targets,
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )

    def _distributions(self, targets: Tensor) -> Tensor:
        """Targets as distributions, ``(batch, classes)``."""
        return targets if targets.is_floating_point() else F.one_hot(targets, self.classes).float()
