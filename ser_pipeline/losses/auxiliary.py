"""Losses beside the main one: concordance of dimensions, contrast between embeddings, a teacher's ones."""

import torch
from torch import Tensor
from torch.nn import functional as F

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


def mse_loss(predicted: Tensor, ratings: Tensor) -> Tensor:
    """Mean square error over the rated clips of each dimension, averaged over dimensions.

    Args:
        predicted: shape ``(batch, dimensions)``.
        ratings: same shape; NaN where a clip has none.

    Returns:
        A scalar, computed in fp32; a dimension without rated clips is left out.
    """
    rated = ~ratings.isnan()
    count = rated.sum(0)  # (dimensions,)
    away = (predicted.float() - ratings.float().nan_to_num()) ** 2
    return _over_rated(away, rated, count).sum() / (count > 0).sum().clamp(min=1)


def _over_rated(values: Tensor, rated: Tensor, count: Tensor) -> Tensor:
    """Mean over rated clips, shape ``(dimensions,)``; 0 without any."""
    return values.masked_fill(~rated, 0).sum(0) / count.clamp(min=1)


def cosine_distance(projected: Tensor, wanted: Tensor) -> Tensor:
    """Mean over clips of one minus the cosine between two vectors.

    Args:
        projected: shape ``(batch, d)``.
        wanted: same shape; NaN where a clip has none.

    Returns:
        A scalar between 0 and 2, computed in fp32; 0 where no clip has one.
    """
    known = ~wanted.isnan().any(1)
    alike = F.cosine_similarity(projected.float(), wanted.float().nan_to_num(), dim=1)
    return ((1 - alike) * known).sum() / known.sum().clamp(min=1)


_NOWHERE = -1e9
"""Likeness of a clip to itself, which counts for nothing: finite, as infinities have no gradient."""


def supervised_contrastive(embeddings: Tensor, targets: Tensor, *, temperature: float = 0.1) -> Tensor:
    """Mean over clips that have a partner of how badly they find their own class among all others.

    With unit vectors ``z``, a clip ``i`` with partners ``P(i)`` of its class costs
    ``-1 / |P(i)| sum_{p in P(i)} log(exp(z_i.z_p / T) / sum_{a != i} exp(z_i.z_a / T))``.

    Args:
        embeddings: of any length, shape ``(batch, d)``; scaled to length 1 here, in fp32.
        targets: class numbers, shape ``(batch,)``.
        temperature: smaller looks at the closest clips alone.

    Returns:
        A scalar; 0 where no clip of the batch has a partner.

    References:
        Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, equation 2.
    """
    z = F.normalize(embeddings.float(), dim=1)
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    likeness = (z @ z.T / temperature).masked_fill(own, _NOWHERE)
    partners = (targets[:, None] == targets[None, :]) & ~own
    log_share = likeness - likeness.logsumexp(1, keepdim=True)
    found = log_share.masked_fill(~partners, 0).sum(1)
    count = partners.sum(1)
    return -(found / count.clamp(min=1)).sum() / (count > 0).sum().clamp(min=1)
