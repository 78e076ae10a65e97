"""Layers that networks share: convolution blocks, pooling over time, clip normalisation.

Two steps. What lies far below the clip's loud cells is raised to a floor, so that background noise,
which every corpus has its own of, looks alike everywhere. Then each mel band loses its mean over
the clip, which is where a microphone's and a voice's own colour lies. Nothing is learned.

A block is 3x3 convolution, batch norm, ReLU, 2x2 max pooling. Padding is kept out by laying clips
end to end (see ``ragged.py``).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.models.ragged import Level, as_image, as_rows, convolved, lay_out, pooled, take

LOUD: Final = 20
"""One cell in this many is louder than the level that the floor hangs from."""

DEPTH: Final = 0.5
"""From that level to the floor: a quarter of the front end's range, which is 30 dB of its usual 120."""

GAIN: Final = 3.0
"""Spreads the 40 dB or so that are left over about [-1, 1]."""


def normalise_clip(mels: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Raise each clip to its own floor and centre its bands.

    Args:
        mels: shape ``(batch, n_mels, frames)``; left as they are.
        lengths: valid frames of each clip, shape ``(batch,)``, on the CPU; None if all are valid. Others
            neither count nor are changed.

    Returns:
        Shape ``(batch, n_mels, frames)``; each band's mean over a clip's valid frames is 0.

    References:
        Atal, "Effectiveness of linear prediction characteristics of the speech wave for automatic
        speaker identification and verification", JASA 55, 1974: taking the mean over time.
    """
    if lengths is None:
        cells = mels.flatten(1)
        loud = cells.topk(cells.shape[1] // LOUD + 1, 1).values[:, -1]
        raised = torch.maximum(mels, loud[:, None, None] - DEPTH)
        return GAIN * (raised - raised.mean(2, keepdim=True))
    counts = lengths.to(mels.device, non_blocking=True)
    valid = (torch.arange(mels.shape[2], device=mels.device) < counts[:, None])[:, None, :]
    most = int(lengths.max()) * mels.shape[1] // LOUD + 1  # cells of a clip down to the level sought
    loudest = mels.masked_fill(~valid, -torch.inf).flatten(1).topk(most, 1).values
    loud = loudest.gather(1, (counts * mels.shape[1] // LOUD)[:, None])
    raised = torch.maximum(mels, loud[:, :, None] - DEPTH).masked_fill(~valid, 0)
    mean = raised.sum(2, keepdim=True) / counts[:, None, None]
    return torch.where(valid, GAIN * (raised - mean), mels)


def blocks(channels: Sequence[int]) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Convolutions and batch norms of blocks with these channels, the first of an image with one."""
    convolutions = nn.ModuleList(nn.Conv2d(into, out, 3, padding=1) for into, out in pairwise((1, *channels)))
    return convolutions, nn.ModuleList(nn.BatchNorm2d(out) for out in channels)


def block_steps(
    convolutions: nn.ModuleList, norms: nn.ModuleList, mels: Tensor, lengths: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Steps of each clip, zero beyond its own, and how many it has.

    Args:
        convolutions: of the blocks.
        norms: of the blocks.
        mels: shape ``(batch, n_mels, frames)``.
        lengths: valid frames, shape ``(batch,)``; None if all are valid.

    Returns:
        Shape ``(batch, longest, mels * channels)``, and counts on the CPU, shape ``(batch,)``; None if all
        steps are valid.
    """
    if lengths is None:
        x = upright(mels)
        for convolution, norm in zip(convolutions, norms, strict=True):
            x = F.relu(F.max_pool2d(norm(convolution(x)), 2))  # the same as pooling last, on a quarter
        return x.permute(0, 2, 3, 1).flatten(2), None
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


HIDDEN = 64

_LEAST_VARIANCE = 1e-5
"""A deviation below its root has no gradient, which would grow without bound towards zero."""

_SAY: Final = 0.1
"""Share of a batch in statistics that run along with training."""

_STILL: Final = 1e-3
"""Added to the variance of a column, so that one that hardly moves in training is not blown up."""


def attention_layer(width: int) -> nn.Sequential:
    """Build what scores a step: ``W2 tanh(W1 h + b1) + b2``, ``(..., width) -> (..., 1)``."""
    return nn.Sequential(nn.Linear(width, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 1))


def step_weights(attention: nn.Module | None, states: Tensor, counts: Tensor | None) -> Tensor:
    """Weigh the steps of each clip.

    Args:
        attention: scores a step; None weighs a clip's steps alike.
        states: shape ``(batch, steps, width)``.
        counts: valid steps of each clip, shape ``(batch,)``; None if all are valid.

    Returns:
        Shape ``(batch, steps)``; each row sums to 1 and is 0 beyond the clip's own steps.
    """
    scores = states.new_zeros(states.shape[:2]) if attention is None else attention(states)[..., 0]
    if counts is not None:
        scores = scores.masked_fill(~valid_steps(counts, states), -torch.inf)
    return scores.softmax(1)


def valid_steps(counts: Tensor, states: Tensor) -> Tensor:
    """Which steps are a clip's own, shape ``(batch, steps)``, on the device of ``states``."""
    return (torch.arange(states.shape[1]) < counts.cpu()[:, None]).to(states.device, non_blocking=True)


def weighted_mean(states: Tensor, weights: Tensor) -> Tensor:
    """Mean over steps, ``(batch, width)``."""
    return (weights[:, :, None] * states).sum(1)


def weighted_statistics(states: Tensor, weights: Tensor) -> Tensor:
    """Mean and standard deviation over steps, side by side, ``(batch, 2 * width)``.

    References:
        Okabe et al., "Attentive Statistics Pooling for Deep Speaker Embedding", Interspeech 2018.
    """
    mean = weighted_mean(states, weights)
    variance = weighted_mean((states - mean[:, None]) ** 2, weights)
    return torch.cat([mean, variance.clamp(min=_LEAST_VARIANCE).sqrt()], 1)


class RunningScale(nn.Module):
    """Columns at mean 0 and variance 1, by statistics of the batches that training has shown so far.

    Training uses the same statistics as prediction, so that neither small batches nor a last batch of a few
    clips disturb it. Early batches count alike; later on, a batch has a tenth of the say.

    Args:
        width: number of columns.
    """

    mean: Tensor
    square: Tensor
    batches: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("square", torch.ones(width))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, rows: Tensor) -> Tensor:
        """Scale rows ``(batch, width)``, in fp32."""
        rows = rows.float()
        if self.training:
            self.batches += 1
            share = (1 / self.batches).clamp(min=_SAY)
            self.mean.lerp_(rows.detach().mean(0), share)
            self.square.lerp_(rows.detach().square().mean(0), share)
        variance = (self.square - self.mean.square()).clamp(min=0)
        return (rows - self.mean) * (variance + _STILL).rsqrt()
