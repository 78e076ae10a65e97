"""What every network has in common: clips to embeddings, embeddings to class scores."""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor, nn

from ser_pipeline.settings import ModelOptions

HEAD = 64
"""Hidden units of a head."""


class Network(nn.Module, ABC):
    """A network that scores clips: ``forward`` is ``head`` after ``embed``.

    Attributes:
        classes: number of outputs.
        head: from an embedding to logits.
    """

    classes: int
    head: nn.Sequential

    @classmethod
    @abstractmethod
    def from_options(cls, options: ModelOptions, n_mels: int, n_classes: int) -> Self:
        """Build the network that the options describe."""

    @abstractmethod
    def embed(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Summarise clips.

        Args:
            inputs: shape ``(batch, n_mels, frames)``, about [-1, 1].
            lengths: valid frames of each clip, shape ``(batch,)``; None if all are valid. Not
                looked at by a network without mask.

        Returns:
            Shape ``(batch, d)``.
        """

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Score clips: logits, shape ``(batch, classes)``; arguments as of :meth:`embed`."""
        logits: Tensor = self.head(self.embed(inputs, lengths))
        return logits


def classifier(width: int, n_classes: int, dropout: float) -> nn.Sequential:
    """Build a head: one hidden layer with dropout, then the classes."""
    return nn.Sequential(nn.Linear(width, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes))
