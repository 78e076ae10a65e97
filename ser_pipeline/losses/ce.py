"""Cross-entropy with class weights and label smoothing."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class CrossEntropy(nn.Module):
    r"""Mean over clips of smoothed, weighted cross-entropy.

    With smoothing ``s``, weights ``w`` and K classes, a clip of class ``y`` costs
    ``-(1 - s) w[y] log p[y] - (s / K) sum_c w[c] log p[c]``. The mean is over clips, not over
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

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of a batch, a scalar."""
        return self.per_clip(logits, targets).mean()

    def per_clip(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each clip, shape ``(batch,)``, computed in fp32."""
        return F.cross_entropy(
            logits.float(),
            targets,
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
