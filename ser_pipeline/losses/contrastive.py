"""Supervised contrastive loss: clips of one emotion close together, others apart."""

import torch
from torch import Tensor
from torch.nn import functional as F

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
