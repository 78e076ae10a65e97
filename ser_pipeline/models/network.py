"""What every model has in common: inputs of clips to class scores, most of them by way of an embedding."""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor, nn

from ser_pipeline.settings import ModelOptions

HEAD = 64
"""Hidden units of a head."""


class Network(nn.Module, ABC):
    """Inputs of clips to class scores.

    Attributes:
        classes: number of outputs.
    """

    classes: int

    @classmethod
    @abstractmethod
    def from_options(cls, options: ModelOptions, n_inputs: int, n_classes: int) -> Self:
        """Build the network that the options describe, with fresh weights from torch's own generator.

        Args:
            options: architecture and its options.
            n_inputs: mel bands, or features.
            n_classes: number of outputs.
        """

    @abstractmethod
    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Class scores before the softmax, shape ``(batch, classes)``.

        Args:
            inputs: mels ``(batch, n_mels, frames)``, about [-1, 1], or features ``(batch, features)``.
            lengths: valid frames of each clip, shape ``(batch,)``; None if all are valid. Not looked at
                for features, and by a network without mask.
        """


class EmbeddingNetwork(Network):
    """A network whose ``forward`` is ``head`` after ``embed``.

    Attributes:
        head: from an embedding to class scores.
    """

    head: nn.Sequential

    @abstractmethod
    def embed(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Summarise clips, shape ``(batch, d)``; arguments as of :meth:`forward`."""

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Class scores before the softmax, shape ``(batch, classes)``."""
        logits: Tensor = self.head(self.embed(inputs, lengths))
        return logits


def classifier(width: int, n_classes: int, dropout: float) -> nn.Sequential:
    """Build a head: one hidden layer with dropout, then the classes."""
    return nn.Sequential(nn.Linear(width, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes))
