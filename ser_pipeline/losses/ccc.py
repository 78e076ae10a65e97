"""Concordance loss for valence, arousal and dominance, blind to clips without a rating."""

import torch
from torch import Tensor

_STEADY = 1e-8
"""Keeps the ratio finite where neither ratings nor outputs vary."""


def ccc_loss(predicted: Tensor, ratings: Tensor) -> Tensor:
    """One minus the concordance correlation coefficient, averaged over dimensions.

    ``CCC = 2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)``, with moments over the rated
    clips of the batch (divided by their number). A dimension with fewer than two rated clips is
    left out, as nothing varies there.

    Args:
        predicted: shape ``(batch, dimensions)``.
        ratings: same shape; NaN where a clip has none.

    Returns:
        A scalar between 0 and 2, computed in fp32; 0 where no dimension has two ratings.

    References:
        Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45,
        1989; as a loss: Trigeorgis et al., "Adieu features?", ICASSP 2016.
    """
    rated = ~ratings.isnan()
    count = rated.sum(0)  # (dimensions,)
    x, y = predicted.float(), ratings.float().nan_to_num()
    mean_x, mean_y = (_over_rated(value, rated, count) for value in (x, y))
    dx, dy = x - mean_x, y - mean_y
    spread = _over_rated(dx * dx + dy * dy, rated, count) + (mean_x - mean_y) ** 2
    concordance = 2 * _over_rated(dx * dy, rated, count) / (spread + _STEADY)
    enough = count >= 2
    return torch.where(enough, 1 - concordance, 0).sum() / enough.sum().clamp(min=1)


def _over_rated(values: Tensor, rated: Tensor, count: Tensor) -> Tensor:
    """Mean over rated clips, shape ``(dimensions,)``; 0 without any."""
    return values.masked_fill(~rated, 0).sum(0) / count.clamp(min=1)
