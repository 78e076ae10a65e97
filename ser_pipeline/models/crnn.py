"""The convolutional recurrent network of the source report: three blocks, BiLSTM, attention.

Sizes  blocks 3x3 of 32, 64, 128 channels, each pooled 2x2; two LSTM layers of 128 units a
       direction; attention 256 -> 64 -> 1; head 256 -> 64 -> classes. 2,227,589 parameters
       with 96 mels and 4 classes.
Layout time is the tall axis of an image and mel bands the wide one, so that a frame is one
       contiguous piece of memory and clips can lie end to end (see ``ragged.py``).
"""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser_pipeline.models.layers import (
    attention_layer,
    masked_steps,
    normalise_clip,
    plain_steps,
    step_weights,
    weighted_mean,
    weighted_statistics,
)
from ser_pipeline.models.network import EmbeddingNetwork, classifier
from ser_pipeline.options import ModelOptions, Pooling

CHANNELS = (32, 64, 128)
HIDDEN = 128


class CRNN(EmbeddingNetwork):
    """Mel spectrograms to class scores.

    With ``masked``, frames beyond a clip's length reach no layer, so padding never changes a
    decision: they are zero before every convolution and after every ReLU, batch statistics and
    pooling see valid frames, and a clip of ``n`` frames gives ``max(1, n // 8)`` steps to the LSTM
    and the attention. Without it every layer is a plain one over all frames.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        masked: keep padding out.
        scaled: put each clip on a scale of its own first.
        attention: weigh steps when pooling them.
        pooling: ``mean`` weighs no step; ``stats`` keeps the standard deviation beside the mean.
        bidirectional: read the steps both ways.
        dropout: share of units dropped in the head and between LSTM layers.
        channels: of the convolutions.
        hidden: units of an LSTM layer, each direction.
    """

    def __init__(
        self,
        n_mels: int,
        n_classes: int,
        *,
        masked: bool = True,
        scaled: bool = False,
        attention: bool = True,
        pooling: Pooling = "attention",
        bidirectional: bool = True,
        dropout: float = 0.3,
        channels: tuple[int, ...] = CHANNELS,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        self.masked = masked
        self.scaled = scaled
        self.classes = n_classes
        self.statistics = pooling == "stats"
        self.convolutions = nn.ModuleList(
            nn.Conv2d(into, out, 3, padding=1) for into, out in pairwise((1, *channels))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for out in channels)
        features = channels[-1] * (n_mels // 2 ** len(channels))
        self.lstm = nn.LSTM(
            features, hidden, 2, batch_first=True, bidirectional=bidirectional, dropout=dropout
        )
        context = hidden * (2 if bidirectional else 1)
        self.attention = attention_layer(context) if attention and pooling != "mean" else None
        self.head = classifier(context * (2 if self.statistics else 1), n_classes, dropout)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_options(cls, options: ModelOptions, n_mels: int, n_classes: int) -> Self:
        """Build the network that the options describe."""
        return cls(
            n_mels,
            n_classes,
            masked=options.masked,
            scaled=options.own_scale,
            attention=options.attention,
            pooling=options.pooling,
            bidirectional=options.bidirectional,
            dropout=options.dropout,
        )

    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Summarise clips: the context, twice as long with statistics; steps are of eight frames."""
        counts = None
        if self.scaled:
            inputs = normalise_clip(inputs, lengths if self.masked else None)
        if self.masked and lengths is not None:
            steps, counts = masked_steps(self.convolutions, self.norms, inputs, lengths)
            packed = pack_padded_sequence(steps, counts, batch_first=True, enforce_sorted=False)
            states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        else:
            states, _ = self.lstm(plain_steps(self.convolutions, self.norms, inputs))
        weights = step_weights(self.attention, states, counts)  # states (batch, steps, 2 * hidden)
        pool = weighted_statistics if self.statistics else weighted_mean
        return pool(states, weights), None if self.attention is None else weights
