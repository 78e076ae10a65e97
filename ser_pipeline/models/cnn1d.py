"""The source report's first approach: a convolution along the vector of features.

Sizes  three convolutions (64, 128, 128 channels, width 5) with batch norm and ReLU, the first two
       followed by a max pool over 2; dropout after the first pool and after the one hidden layer
       (128 units). The report gives the order of the layers and no sizes; these are ours.
       1,156,996 parameters with 253 features and 4 classes.
"""

import torch
from torch import Tensor, nn

from ser_pipeline.models.network import EmbeddingNetwork

CHANNELS = (64, 128, 128)
WIDTH = 5
HIDDEN = 128


class CNN1D(EmbeddingNetwork):
    """Vectors of features to class scores.

    Neighbours in the vector are related only within a group of features, so a convolution along
    it is a weak assumption; it is here because the report makes it.

    Args:
        n_features: length of the vector, at least 4.
        n_classes: number of outputs.
        dropout: share of units dropped after the first pool and the hidden layer.
    """

    def __init__(self, n_features: int, n_classes: int, *, dropout: float = 0.3) -> None:
        super().__init__()
        self.classes = n_classes
        first, second, third = CHANNELS
        self.convolutions = nn.Sequential(
            *_block(1, first),
            nn.MaxPool1d(2),
            nn.Dropout(dropout),
            *_block(first, second),
            nn.MaxPool1d(2),
            *_block(second, third),
        )
        self.head = nn.Sequential(
            nn.Linear(third * (n_features // 4), HIDDEN),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(HIDDEN, n_classes),
        )

    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, None]:
        """What the convolutions find in vectors ``(batch, features)``, flat."""
        x = self.convolutions(inputs[:, None])  # (batch, channels, features // 4)
        return torch.flatten(x, 1), None


def _block(into: int, out: int) -> tuple[nn.Module, ...]:
    return nn.Conv1d(into, out, WIDTH, padding=WIDTH // 2), nn.BatchNorm1d(out), nn.ReLU()
