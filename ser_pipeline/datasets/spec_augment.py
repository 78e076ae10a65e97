"""SpecAugment over a whole batch; masks lie over valid frames only."""

import torch
from torch import Generator, Tensor

from ser_pipeline.settings import SpecAugment


def spec_augment(
    mels: Tensor, lengths: Tensor, options: SpecAugment, generator: Generator, *, value: float = -1.0
) -> Tensor:
    """Blank random bands and stretches of each clip.

    Each mask's width is drawn evenly from 0 to its maximum (at most the clip's own length), its
    place evenly from where it fits.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        options: number and width of the masks, and what fills them.
        generator: on the CPU; draws first, then masks are applied.
        value: silence.

    Returns:
        Shape ``(batch, n_mels, frames)``.

    References:
        Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech
        Recognition", Interspeech 2019, without time warping.
    """
    batch, n_mels, frames = mels.shape
    full = torch.full((batch,), n_mels)
    bands = _masked(full, n_mels, options.frequency_masks, options.frequency_width, generator)
    stretch = _masked(lengths.cpu(), frames, options.time_masks, options.time_width, generator)
    blank = bands[:, :, None] | stretch[:, None, :]
    blank &= (torch.arange(frames) < lengths.cpu()[:, None])[:, None, :]
    if options.fill == "silence":
        return mels.masked_fill(blank.to(mels.device), value)
    counts = lengths.to(mels.device)[:, None, None]
    beyond = torch.arange(frames, device=mels.device) >= counts
    mean = mels.masked_fill(beyond, 0).sum(2, keepdim=True) / counts
    return torch.where(blank.to(mels.device), mean, mels)


def _masked(sizes: Tensor, cells: int, masks: int, widest: int, generator: Generator) -> Tensor:
    """Cells under any of ``masks`` stretches within the first ``sizes`` cells, ``(batch, cells)``."""
    draws = torch.rand(2, len(sizes), masks, generator=generator)
    most = sizes.clamp(max=widest)[:, None]
    width = (draws[0] * (most + 1)).long()  # (batch, masks)
    start = (draws[1] * (sizes[:, None] - width + 1)).long()
    cell = torch.arange(cells)
    inside = (cell >= start[..., None]) & (cell < (start + width)[..., None])  # (batch, masks, cells)
    return inside.any(1)
