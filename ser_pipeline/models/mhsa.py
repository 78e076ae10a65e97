"""Multi-head self-attention over steps: the CRNN's convolutions, then every step sees every other.

Sizes  blocks 3x3 of 32, 64, 128 channels, each pooled 2x2; a linear layer to 128; sinusoidal
       positions; three layers of attention (4 heads) and feed-forward (256), normalised first;
       attention 128 -> 64 -> 1; head 128 -> 64 -> classes.
Source Vaswani et al., "Attention Is All You Need", NeurIPS 2017; norms first as in Xiong et al.,
       "On Layer Normalization in the Transformer Architecture", ICML 2020.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.models.layers import block_steps, blocks, valid_steps
from ser_pipeline.models.network import MelNetwork

CHANNELS = (32, 64, 128)
WIDTH = 128
HEADS = 4
LAYERS = 3

_LONGEST_WAVE = 10_000.0
"""Steps of the slowest sinusoid over 2 pi, as published."""


class MHSA(MelNetwork):
    """Mel spectrograms to class scores by self-attention.

    With ``masked``, no step attends to a step that is not its clip's own.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        masked: keep padding out.
        own_scale: put each clip on a scale of its own first.
        attention: weigh steps when pooling them.
        dropout: share of units dropped in the layers and the head.
        channels: of the convolutions.
        width: numbers that describe a step; a multiple of ``2 * heads``.
        heads: of each layer.
        layers: number of layers.
    """

    def __init__(
        self,
        n_mels: int,
        n_classes: int,
        *,
        masked: bool = True,
        own_scale: bool = False,
        attention: bool = True,
        dropout: float = 0.3,
        channels: tuple[int, ...] = CHANNELS,
        width: int = WIDTH,
        heads: int = HEADS,
        layers: int = LAYERS,
    ) -> None:
        super().__init__(masked=masked, own_scale=own_scale)
        self.convolutions, self.norms = blocks(channels)
        self.project = nn.Linear(channels[-1] * (n_mels // 2 ** len(channels)), width)
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pool(width, n_classes, attention=attention, dropout=dropout)

    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What each step becomes after it has seen the others, ``(batch, steps, width)``."""
        found, counts = block_steps(self.convolutions, self.norms, mels, lengths)
        valid = None if counts is None else valid_steps(counts, found)
        x = self.project(found)  # (batch, steps, width)
        x = x + positions(x.shape[1], x.shape[2]).to(x)
        for layer in self.layers:
            x = layer(x, valid)
        return self.norm(x), counts


class Layer(nn.Module):
    """Self-attention, then two linear layers on each step, both added to what came in.

    Args:
        width: of a step.
        heads: that look at the steps side by side.
        dropout: share of what is added that is dropped.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.before_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        """Update each step, shape ``(batch, steps, width)``; ``valid`` ``(batch, steps)`` may be seen."""
        x = x + self.drop(self.out(self._attended(self.before_attention(x), valid)))
        updated: Tensor = x + self.drop(self.feed(self.before_feed(x)))
        return updated

    def _attended(self, x: Tensor, valid: Tensor | None) -> Tensor:
        parts = self.into(x).unflatten(2, (3, self.heads, -1))  # (batch, steps, 3, heads, width / heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mask = None if valid is None else valid[:, None, None, :]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)


def positions(steps: int, width: int) -> Tensor:
    """Sinusoids that tell where a step stands, shape ``(steps, width)``; ``width`` is even.

    The first half are sines, the second cosines, of angles ``step / 10000^(i / half)``.

    Examples:
        >>> positions(2, 2)
        tensor([[0.0000, 1.0000],
                [0.8415, 0.5403]])
    """
    half = width // 2
    rates = _LONGEST_WAVE ** (-torch.arange(half) / half)
    angles = torch.arange(steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
