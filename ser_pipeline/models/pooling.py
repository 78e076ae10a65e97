"""From the steps of a clip to one vector: which steps count, and what is kept of them."""

import torch
from torch import Tensor, nn

HIDDEN = 64

_LEAST_VARIANCE = 1e-5
"""A deviation below its root has no gradient, which would grow without bound towards zero."""


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
    return (torch.arange(states.shape[1]) < counts.cpu()[:, None]).to(states.device)


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
