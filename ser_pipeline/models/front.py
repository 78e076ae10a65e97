"""Convolution blocks in front of other layers: mels to steps of a few frames each.

A block is 3x3 convolution, batch norm, ReLU, 2x2 max pooling. Padding is kept out by laying clips
end to end (see ``strip.py``).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.models.strip import Level, as_image, as_rows, convolved, lay_out, pooled, take


def plain_steps(convolutions: Iterable[nn.Module], norms: Iterable[nn.Module], mels: Tensor) -> Tensor:
    """Steps of a batch without mask.

    Args:
        convolutions: of the blocks.
        norms: of the blocks.
        mels: shape ``(batch, n_mels, frames)``.

    Returns:
        Shape ``(batch, steps, mels * channels)``.
    """
    x = upright(mels)
    for convolution, norm in zip(convolutions, norms, strict=True):
        x = F.relu(F.max_pool2d(norm(convolution(x)), 2))  # the same as pooling last, on a quarter
    return x.permute(0, 2, 3, 1).flatten(2)


def masked_steps(
    convolutions: nn.ModuleList, norms: nn.ModuleList, mels: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor]:
    """Steps of each clip, zero beyond its own, and how many it has.

    Args:
        convolutions: of the blocks.
        norms: of the blocks.
        mels: shape ``(batch, n_mels, frames)``.
        lengths: valid frames, shape ``(batch,)``.

    Returns:
        Shape ``(batch, longest, mels * channels)``, and counts on the CPU, shape ``(batch,)``.
    """
    plan = lay_out(lengths, mels.shape[2], len(convolutions))
    rows = valid_frames(mels, plan.source)
    for convolution, norm, level in zip(convolutions, norms, plan.levels, strict=True):
        rows = _block(norm, convolved(convolution, rows, level), level)  # (rows, mels, channels)
    return plan.steps_of(rows), plan.steps


def upright(mels: Tensor) -> Tensor:
    """Spectrograms as images with time as the tall axis, ``(batch, 1, frames, mels)``."""
    return mels.transpose(1, 2)[:, :, :, None].permute(0, 3, 1, 2)


def valid_frames(mels: Tensor, source: Tensor) -> Tensor:
    """Pick the valid frames of a batch: ``(batch, n_mels, frames) -> (valid, n_mels, 1)``."""
    batch, n_mels, frames = mels.shape
    return mels.transpose(1, 2).reshape(batch * frames, n_mels, 1).index_select(0, source)


def _block(norm: nn.Module, rows: Tensor, level: Level) -> Tensor:
    """Normalise valid frames, pool, ReLU: ``(rows, mels, channels)`` to half of each.

    ReLU comes last because it commutes with the maximum and then has a quarter of the work. A
    clip's last frame without a partner counts in the statistics and is dropped by the pooling,
    unless it is the only one.
    """
    normed = as_rows(norm(as_image(take(rows, level.leaving))))
    return torch.relu(pooled(normed, level))
