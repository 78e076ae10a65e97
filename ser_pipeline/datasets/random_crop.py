"""A random stretch of each clip, so that no clip is known by its beginning."""

import torch
from torch import Generator, Tensor

from ser_pipeline.settings import RandomCrop


def random_crop(
    mels: Tensor, lengths: Tensor, options: RandomCrop, generator: Generator, *, value: float = -1.0
) -> tuple[Tensor, Tensor]:
    """Keep a random stretch of each clip and move it to the start.

    How much is kept is drawn evenly from ``share`` of the clip (rounded up) to all of it, where it
    lies evenly from what fits.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as it is.
        lengths: valid frames of each clip, shape ``(batch,)``.
        options: least share that is kept.
        generator: on the CPU; draws first, then clips are cut.
        value: of frames beyond the stretch.

    Returns:
        Clips, shape ``(batch, n_mels, frames)``, and their new lengths, shape ``(batch,)``.
    """
    chance = torch.rand(2, len(mels), generator=generator)
    counts = lengths.cpu()
    least = (counts * options.share).ceil().clamp(min=1)
    kept = (least + chance[0] * (counts - least + 1)).long().clamp(max=counts)
    start = (chance[1] * (counts - kept + 1)).long()
    frame = torch.arange(mels.shape[2])
    source = (frame + start[:, None]).clamp(max=mels.shape[2] - 1).to(mels.device)  # (batch, frames)
    moved = mels.gather(2, source[:, None, :].expand_as(mels))
    beyond = (frame >= kept[:, None])[:, None, :].to(mels.device)
    return moved.masked_fill(beyond, value), kept.to(lengths)
