"""Losses over class scores: cross-entropy, focal, and the two that know distances between emotions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.labels import distance_matrix


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
        focal_gamma: how fast sure clips lose their weight, at least 0.

    References:
        Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 4.
    """

    def __init__(
        self,
        emotions: Sequence[str],
        *,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 2.0,
    ) -> None:
        super().__init__(emotions, class_weights=class_weights, label_smoothing=label_smoothing)
        self.gamma = focal_gamma

    def _losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each clip before clip weights; targets are class numbers or distributions."""
        log_p = F.log_softmax(logits, 1)
        wanted = self._distributions(targets) * (1 - self.label_smoothing)
        wanted = wanted + self.label_smoothing / self.classes
        if self.class_weights is not None:
            wanted = wanted * self.class_weights
        unsure = (1 - log_p.exp()).clamp(min=_SURE) ** self.gamma
        return -(wanted * unsure * log_p).sum(1)


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
