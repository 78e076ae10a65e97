"""Mixup: training on two clips in one, whose target is a distribution."""

from dataclasses import dataclass

import torch
from scipy.special import betaincinv
from torch import Generator, Tensor

from ser_pipeline.settings import Mixup


@dataclass(frozen=True, slots=True)
class Mixing:
    """Which clips of a batch are mixed, and how.

    Attributes:
        partner: number of the clip that each is mixed with, shape ``(batch,)``.
        share: of the clip itself, at least a half, shape ``(batch,)``; the partner has the rest.
    """

    partner: Tensor
    share: Tensor


def draw_mixing(batch: int, options: Mixup, generator: Generator) -> Mixing:
    """Draw partners and shares.

    A share is drawn from Beta(alpha, alpha); the larger part is the clip's own, so that its class
    stays what the mixture is mostly. With random partners that is the same set of mixtures.

    Args:
        batch: number of clips.
        options: of the Beta distribution.
        generator: on the CPU.

    References:
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
    """
    partner = torch.randperm(batch, generator=generator)
    chance = torch.rand(batch, generator=generator, dtype=torch.float64)
    share = torch.from_numpy(betaincinv(options.alpha, options.alpha, chance.numpy())).float()
    return Mixing(partner, torch.maximum(share, 1 - share))


def mix_mels(mels: Tensor, lengths: Tensor, mixing: Mixing, *, value: float = -1.0) -> tuple[Tensor, Tensor]:
    """Mix spectrograms cell by cell.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        mixing: from :func:`draw_mixing`.
        value: of silence, which the shorter clip counts as beyond its end.

    Returns:
        Mixed clips and their lengths: that of the longer clip. What lies beyond is left as it is.
    """
    partner = mixing.partner.to(mels.device)
    frame = torch.arange(mels.shape[2], device=mels.device)
    sound = mels.masked_fill((frame >= lengths.to(mels.device)[:, None])[:, None, :], value)
    share = mixing.share.to(mels)[:, None, None]
    mixed = share * sound + (1 - share) * sound[partner]
    longer = torch.maximum(lengths, lengths[mixing.partner.to(lengths.device)])
    valid = (frame < longer.to(mels.device)[:, None])[:, None, :]
    return torch.where(valid, mixed, mels), longer


def mix_rows(rows: Tensor, mixing: Mixing) -> Tensor:
    """Mix what belongs to clips, as distributions ``(batch, classes)`` or weights ``(batch,)``."""
    share = mixing.share.to(rows).view(-1, *(1 for _ in rows.shape[1:]))
    return share * rows + (1 - share) * rows[mixing.partner.to(rows.device)]
