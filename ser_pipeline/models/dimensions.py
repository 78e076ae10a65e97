"""A second head: valence, arousal and dominance beside the classes.

Sizes  embedding -> 64 -> 3, ReLU and dropout between, tanh at the end.
"""

from typing import Final

import torch
from torch import Tensor, nn

HIDDEN: Final = 64

DIMENSIONS: Final = ("valence", "arousal", "dominance")
"""Columns of the manifest, in the order of the outputs."""


class DimensionHead(nn.Module):
    """Embeddings to ratings.

    Args:
        width: of an embedding.
        dropout: share of hidden units dropped.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, HIDDEN), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HIDDEN, len(DIMENSIONS))
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        """Valence, arousal and dominance in [-1, 1]: ``(batch, width) -> (batch, 3)``."""
        return torch.tanh(self.layers(embeddings))
