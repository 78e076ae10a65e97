"""The convolutional recurrent network of the source report: three blocks, BiLSTM, attention.

Sizes  blocks 3x3 of 32, 64, 128 channels, each pooled 2x2; two LSTM layers of 128 units a
       direction; attention 256 -> 64 -> 1; head 256 -> 64 -> classes. 2,227,589 parameters
       with 96 mels and 4 classes.
Layout time is the tall axis of an image and mel bands the wide one, so that a frame is one
       contiguous piece of memory and clips can lie end to end (see ``strip.py``).
"""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser_pipeline.models.network import Network
from ser_pipeline.models.strip import Level, lay_out, put, take
from ser_pipeline.settings import ModelOptions

CHANNELS = (32, 64, 128)
HIDDEN = 128
HEAD = 64


class CRNN(Network):
    """Mel spectrograms to class scores.

    With ``masked``, frames beyond a clip's length reach no layer, so padding never changes a
    decision: they are zero before every convolution and after every ReLU, batch statistics and
    pooling see valid frames, and a clip of ``n`` frames gives ``max(1, n // 8)`` steps to the LSTM
    and the attention. Without it every layer is a plain one over all frames.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        masked: keep padding out.
        attention: pool over steps by attention instead of the mean.
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
        attention: bool = True,
        bidirectional: bool = True,
        dropout: float = 0.3,
        channels: tuple[int, ...] = CHANNELS,
        hidden: int = HIDDEN,
    ) -> None:
        super().__init__()
        self.masked = masked
        self.classes = n_classes
        self.convolutions = nn.ModuleList(
            nn.Conv2d(into, out, 3, padding=1) for into, out in pairwise((1, *channels))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for out in channels)
        features = channels[-1] * (n_mels // 2 ** len(channels))
        self.lstm = nn.LSTM(
            features, hidden, 2, batch_first=True, bidirectional=bidirectional, dropout=dropout
        )
        context = hidden * (2 if bidirectional else 1)
        self.attention = (
            nn.Sequential(nn.Linear(context, HEAD), nn.Tanh(), nn.Linear(HEAD, 1)) if attention else None
        )
        self.head = nn.Sequential(
            nn.Linear(context, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes)
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_options(cls, options: ModelOptions, n_mels: int, n_classes: int) -> Self:
        """Build the network that the options describe."""
        return cls(
            n_mels,
            n_classes,
            masked=options.masked,
            attention=options.attention,
            bidirectional=options.bidirectional,
            dropout=options.dropout,
        )

    def forward(self, mels: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Score clips.

        Args:
            mels: shape ``(batch, n_mels, frames)``, about [-1, 1].
            lengths: valid frames of each clip, shape ``(batch,)``; None if all are valid. Not
                looked at without ``masked``.

        Returns:
            Logits, shape ``(batch, n_classes)``.
        """
        return self.forward_with_attention(mels, lengths)[0]

    def forward_with_attention(self, mels: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Score clips and say which steps decided.

        Returns:
            Logits, shape ``(batch, n_classes)``, and weights over steps of eight frames, shape
            ``(batch, steps)``: each row sums to 1 and is 0 beyond the clip's own steps.
        """
        if self.masked and lengths is not None:
            steps, counts = self._masked_steps(mels, lengths)  # (batch, steps, features)
            packed = pack_padded_sequence(steps, counts, batch_first=True, enforce_sorted=False)
            states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            valid = torch.arange(states.shape[1]) < counts[:, None]
            weights = self._weights(states, valid.to(states.device))
        else:
            states, _ = self.lstm(self._plain_steps(mels))  # (batch, steps, 2 * hidden)
            weights = self._weights(states, None)
        context = (weights[:, :, None] * states).sum(1)
        return self.head(context), weights

    def _plain_steps(self, mels: Tensor) -> Tensor:
        x = mels.transpose(1, 2)[:, :, :, None].permute(0, 3, 1, 2)  # (batch, 1, frames, mels)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(F.max_pool2d(norm(convolution(x)), 2))  # the same as pooling last, on a quarter
        return x.permute(0, 2, 3, 1).flatten(2)  # (batch, steps, mels * channels)

    def _masked_steps(self, mels: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Steps of each clip, zero beyond its own, and how many it has (on the CPU)."""
        batch, n_mels, frames = mels.shape
        plan = lay_out(lengths, frames, len(self.convolutions))
        rows = mels.transpose(1, 2).reshape(batch * frames, n_mels, 1).index_select(0, plan.source)
        for convolution, norm, level in zip(self.convolutions, self.norms, plan.levels, strict=True):
            strip = put(rows, level.arrivals, level.rows)  # (rows, mels, channels)
            rows = _pooled(norm, _rows(convolution(_image(strip))), level)
        longest = int(plan.steps.max())
        steps = put(rows.flatten(1), plan.places, batch * longest)
        return steps.view(batch, longest, -1), plan.steps

    def _weights(self, states: Tensor, valid: Tensor | None) -> Tensor:
        scores = (
            states.new_zeros(states.shape[:2]) if self.attention is None else self.attention(states)[..., 0]
        )
        if valid is not None:
            scores = scores.masked_fill(~valid, -torch.inf)
        return scores.softmax(1)


def _pooled(norm: nn.Module, rows: Tensor, level: Level) -> Tensor:
    """Normalise valid frames, pool 2x2, ReLU: ``(rows, mels, channels)`` to half of each.

    ReLU comes last because it commutes with the maximum and then has a quarter of the work. A
    clip's last frame without a partner counts in the statistics and is dropped by the pooling,
    unless it is the only one.
    """
    normed = _rows(norm(_image(take(rows, level.leaving))))
    pairs = _image(normed[: level.paired])
    if not level.single:
        return F.relu(_rows(F.max_pool2d(pairs, 2)))
    alone = F.max_pool2d(_image(normed[level.paired : level.paired + level.single]), (1, 2))
    both = torch.cat([F.max_pool2d(pairs, 2), alone], 2) if level.paired else alone
    return F.relu(_rows(both))


def _image(rows: Tensor) -> Tensor:
    """``(rows, mels, channels)`` to one channels-last image ``(1, channels, rows, mels)``."""
    return rows[None].permute(0, 3, 1, 2)


def _rows(image: Tensor) -> Tensor:
    return image.permute(0, 2, 3, 1)[0]
