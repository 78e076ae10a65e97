"""A probe of a pretrained encoder: which layers count, which steps count, and a linear head.

Each unit of each layer is standardised over the steps of a batch (in use: over training), for some units of
an encoder are a hundred times as large as others. An attention that sees the layers mixed, by a softmax over
one number each, weighs the steps, and begins as a plain mean. The weighted means of all layers stay side by
side, are standardised once more over the clips of training, and count as much as their layer does.

Sizes  attention width -> 64 -> 1; head layers * width -> classes.
Source Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021, for the
       weighting of layers, which are averaged there; what was measured of both is in docs/encoders.md.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.models.layers import RunningScale, step_weights, weighted_mean
from ser_pipeline.models.network import MelNetwork

LEAP = 10.0
"""A step of the optimiser moves the weighting of layers this many times as far as another weight."""


CALM = 0.03
"""The attention sees steps so small that it begins as a plain mean and moves away from it slowly."""


class Probe(MelNetwork):
    """Steps of an encoder's layers, ``(batch, steps, layers, width)``, to class scores.

    Args:
        n_layers: layers side by side.
        width: numbers of each in a step.
        n_classes: number of outputs.
        attention: weigh steps when pooling them.
        dropout: share of units dropped before the attention and after the pooling.
    """

    def __init__(
        self, n_layers: int, width: int, n_classes: int, *, attention: bool = True, dropout: float = 0.3
    ) -> None:
        super().__init__(masked=True, own_scale=False)
        self.norm = nn.BatchNorm1d(n_layers * width, affine=False)
        self.layers = nn.Parameter(torch.zeros(n_layers))
        self.pool(width, n_classes, attention=attention, dropout=dropout)
        self.scale = RunningScale(n_layers * width)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Sequential(nn.Linear(n_layers * width, n_classes))

    @property
    def shares(self) -> Tensor:
        """Weight of each layer, shape ``(layers,)``; they sum to 1."""
        return (LEAP * self.layers).softmax(0)

    @property
    def average(self) -> Tensor:
        """Mean of each unit over the training clips' steps, shape ``(layers, width)``."""
        return self.norm.get_buffer("running_mean").view(len(self.layers), -1)

    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Pool the steps of clips, ``(batch, layers * width)``, and say how much each counts."""
        states, counts = self.steps(inputs, lengths)
        shares = self.shares[:, None]
        weights = step_weights(self.attention, CALM * self.drop((states * shares).sum(2)), counts)
        pooled = self.scale(weighted_mean(states.flatten(2), weights))
        counted = pooled.view(-1, *self.average.shape) * shares * len(shares)
        return self.drop(counted.flatten(1)), None if self.attention is None else weights

    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Standardised layers, shape kept, zero beyond a clip's own steps."""
        if lengths is None:
            return self._standardised(mels.flatten(2).flatten(0, 1)).view(mels.shape), None
        own = (torch.arange(mels.shape[1]) < lengths.cpu()[:, None]).flatten().nonzero()[:, 0].to(mels.device)
        rows = mels.flatten(0, 1)
        standard = self._standardised(rows.index_select(0, own).flatten(1)).view(-1, *mels.shape[2:])
        return torch.zeros_like(rows).index_copy_(0, own, standard.to(rows.dtype)).view(mels.shape), lengths

    def _standardised(self, rows: Tensor) -> Tensor:
        """Units at mean 0 and variance 1, ``(rows, units)``; a single row takes the running statistics."""
        mean, variance = map(self.norm.get_buffer, ("running_mean", "running_var"))
        if self.training and len(rows) > 1:
            return F.batch_norm(rows, mean, variance, training=True, momentum=self.norm.momentum or 0)
        return (rows - mean) * (variance + self.norm.eps).rsqrt()
