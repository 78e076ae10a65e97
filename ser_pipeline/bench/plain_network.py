"""The network of the source report as one would write it with PyTorch's own layers: reference and oracle.

Every choice is the library's default: channels before height and width, padded batches, fp32, ReLU before
pooling.
"""

import itertools

from torch import Tensor, nn

CHANNELS = (1, 32, 64, 128)
HIDDEN = 128
HEAD = 64


class PlainCRNN(nn.Module):
    """Three blocks of convolution, batch norm, ReLU and pooling; two LSTM layers both ways; attention; head.

    Args:
        n_mels: mel bands, at least 8.
        n_classes: number of outputs.
        dropout: share of units dropped in the head and between LSTM layers.
    """

    def __init__(self, n_mels: int, n_classes: int, dropout: float = 0.3) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for into, out in itertools.pairwise(CHANNELS):
            blocks += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(), nn.MaxPool2d(2)]
        self.blocks = nn.Sequential(*blocks)
        features = CHANNELS[-1] * (n_mels // 8)
        self.lstm = nn.LSTM(features, HIDDEN, 2, batch_first=True, bidirectional=True, dropout=dropout)
        self.attention = nn.Sequential(nn.Linear(2 * HIDDEN, HEAD), nn.Tanh(), nn.Linear(HEAD, 1))
        self.head = nn.Sequential(
            nn.Linear(2 * HIDDEN, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes)
        )

    def forward(self, mels: Tensor) -> Tensor:
        """Class scores of padded mels, ``(batch, n_mels, frames) -> (batch, n_classes)``."""
        image = self.blocks(mels[:, None])  # (batch, channels, mels, steps)
        states, _ = self.lstm(image.permute(0, 3, 1, 2).flatten(2))
        weights = self.attention(states).softmax(1)
        scores: Tensor = self.head((states * weights).sum(1))
        return scores
