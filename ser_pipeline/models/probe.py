"""A probe of a pretrained encoder: which layers count, which steps count, and a small head.

Each unit of each layer is standardised over the steps of a batch (in use: over training), for some units of
an encoder are a hundred times as large as others. Layers are mixed by a softmax over one number each, steps
pooled by attentive statistics.

Sizes  attention width -> 64 -> 1; head 2 * width -> 64 -> classes.
Source Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021, for the
       weighting of layers; Okabe et al., "Attentive Statistics Pooling for Deep Speaker Embedding",
       Interspeech 2018, for the pooling.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.models.layers import valid_steps
from ser_pipeline.models.network import MelNetwork

LEAP = 10.0
"""A step of the optimiser moves the weighting of layers so many times as far as another weight."""


class Probe(MelNetwork):
    """Steps of an encoder's layers, ``(batch, steps, layers, width)``, to class scores.

    Args:
        n_layers: layers side by side.
        width: numbers of each in a step.
        n_classes: number of outputs.
        attention: weigh steps when pooling them.
        dropout: share of units dropped before the pooling and in the head.
    """

    def __init__(
        self, n_layers: int, width: int, n_classes: int, *, attention: bool = True, dropout: float = 0.3
    ) -> None:
        super().__init__(masked=True, own_scale=False)
        self.norm = nn.BatchNorm1d(n_layers * width, affine=False)
        self.layers = nn.Parameter(torch.zeros(n_layers))
        self.drop = nn.Dropout(dropout)
        self.pool(width, n_classes, attention=attention, dropout=dropout, statistics=True)

    @property
    def shares(self) -> Tensor:
        """Weight of each layer in the average, shape ``(layers,)``; they sum to 1."""
        return (LEAP * self.layers).softmax(0)

    @property
    def average(self) -> Tensor:
        """Mean of each unit over the training clips' steps, shape ``(layers, width)``."""
        return self.norm.get_buffer("running_mean").view(len(self.layers), -1)

    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Standardised layers, mixed: ``(batch, steps, width)``, zero beyond a clip's own steps."""
        batch, steps, layers, width = mels.shape
        shares = self.shares
        if lengths is None:
            rows = self._standardised(mels.reshape(batch * steps, layers * width))
            mixed = (rows.view(batch, steps, layers, width) * shares[:, None]).sum(2)
            return self.drop(mixed), None
        own = valid_steps(lengths, mels)
        rows = self._standardised(mels[own].flatten(1)).view(-1, layers, width)
        mixed = mels.new_zeros(batch, steps, width)
        mixed[own] = (rows * shares[:, None]).sum(1).to(mixed.dtype)
        return self.drop(mixed), lengths

    def _standardised(self, rows: Tensor) -> Tensor:
        """Units at mean 0 and variance 1, ``(rows, units)``; a single row takes the running statistics."""
        mean, variance = map(self.norm.get_buffer, ("running_mean", "running_var"))
        if self.training and len(rows) > 1:
            return F.batch_norm(rows, mean, variance, training=True, momentum=self.norm.momentum or 0)
        return (rows - mean) * (variance + self.norm.eps).rsqrt()
