"""What every network has in common: inputs of clips to class scores, and a second head for dimensions.

Sizes  embedding -> 64 -> 3, ReLU and dropout between, tanh at the end.
"""

from abc import ABC, abstractmethod
from typing import Final, Self

import torch
from torch import Tensor, nn

from ser_pipeline.arrays import Float32s
from ser_pipeline.options import FRAMES_PER_STEP, ModelOptions

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
        dimensions: from an embedding to valence, arousal and dominance; None without that head.
    """

    head: nn.Sequential
    dimensions: DimensionHead | None

    def __init__(self) -> None:
        super().__init__()
        self.dimensions = None

    @abstractmethod
    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Summarise clips, and say how much each of their steps counts.

        Args:
            inputs: as of :meth:`forward`.
            lengths: as of :meth:`forward`.

        Returns:
            Shape ``(batch, d)``, and weights over steps of equal length, shape ``(batch, steps)``: each row
            sums to 1 and is 0 beyond the clip's own steps. None where the network weighs no steps.
        """

    def embed(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Summarise clips, shape ``(batch, d)``; arguments as of :meth:`forward`."""
        return self.summarise(inputs, lengths)[0]

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Class scores before the softmax, shape ``(batch, classes)``."""
        logits: Tensor = self.head(self.embed(inputs, lengths))
        return logits

    def rate(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Valence, arousal and dominance in [-1, 1], shape ``(batch, 3)``; arguments as of :meth:`forward`.

        Raises:
            TypeError: the network has no head for them.
        """
        if self.dimensions is None:
            raise TypeError(f"this {type(self).__name__} has no head for valence, arousal and dominance")
        rated: Tensor = self.dimensions(self.embed(inputs, lengths))
        return rated

    def add_dimensions(self, dropout: float) -> None:
        """Give the network a head for valence, arousal and dominance, with fresh weights."""
        first = self.head[0]
        if not isinstance(first, nn.Linear):
            raise TypeError(f"the head of {type(self).__name__} does not begin with a linear layer")
        self.dimensions = DimensionHead(first.in_features, dropout)


def classifier(width: int, n_classes: int, dropout: float) -> nn.Sequential:
    """Build a head: one hidden layer with dropout, then the classes."""
    return nn.Sequential(nn.Linear(width, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes))


def one_clip(values: Float32s, frames: int, *, masked: bool) -> tuple[Tensor, Tensor | None]:
    """What a network is handed of one clip alone.

    Without its padding a clip needs no mask, which is faster and gives the same scores.

    Args:
        values: padded mels ``(n_mels, max_frames)``, or normalised features ``(features,)``.
        frames: mel frames that hold sound.
        masked: the network keeps padding out.

    Returns:
        A batch of one, and its length where the network has to know it.
    """
    if values.ndim == 1:
        return torch.from_numpy(values)[None], None
    if masked and frames >= FRAMES_PER_STEP:
        return torch.from_numpy(values[None, :, :frames].copy()), None
    return torch.from_numpy(values[None]), torch.tensor([frames])
