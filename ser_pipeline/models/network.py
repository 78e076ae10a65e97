"""What every network has in common: inputs of clips to class scores, vectors beside them, and dimensions.

Sizes  dimensions: embedding -> 64 -> 3, ReLU and dropout between, tanh at the end; vectors beside a sequence:
       columns -> 64, ReLU, dropout before and after.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Self

import torch
from torch import Tensor, nn

from ser_pipeline.arrays import Float32s, Float64s
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.metrics.occlusion import log_odds, occlusion
from ser_pipeline.models.layers import (
    attention_layer,
    normalise_clip,
    step_weights,
    weighted_mean,
    weighted_statistics,
)
from ser_pipeline.options import BuiltFor, ModelOptions

HIDDEN: Final = 64


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

BESIDE: Final = 64
"""Numbers that vectors beside a sequence become before they join what is pooled of it."""


class Network(nn.Module, ABC):
    """Inputs of clips to class scores, or to ratings.

    Attributes:
        classes: number of outputs.
        only_rates: it tells ratings of a clip instead of classes.
    """

    classes: int
    only_rates: bool = False

    @classmethod
    def from_options(cls, options: ModelOptions, n_inputs: BuiltFor, n_classes: int) -> Self:
        """Build the network that the options describe, with fresh weights from torch's own generator.

        It is handed those options that it declares in :data:`~ser_pipeline.options.MODELS`, by name.

        Args:
            options: architecture and its options.
            n_inputs: what it is built for.
            n_classes: number of outputs.
        """
        declared = {name: getattr(options, name) for name in options.architecture.options}
        sizes = n_inputs if isinstance(n_inputs, tuple) else (n_inputs,)
        return cls(*sizes, n_classes, **declared)

    @abstractmethod
    def forward(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Class scores before the softmax, shape ``(batch, classes)``.

        Args:
            inputs: mels ``(batch, n_mels, frames)``, about [-1, 1], features ``(batch, features)``, or an
                encoder's steps ``(batch, steps, layers, width)``.
            lengths: valid frames of each clip, shape ``(batch,)``; None if all are valid. Not looked at
                for features, and by a network without mask.
            beside: normalised vectors of the same clips, ``(batch, columns)``, for networks built for them.
        """

    @property
    def rates(self) -> bool:
        """Whether it rates clips, instead of telling classes apart or as well."""
        return False

    def rate(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Ratings in [-1, 1], shape ``(batch, dimensions)``; arguments as for :meth:`forward`.

        Raises:
            TypeError: it does not say them.
        """
        raise TypeError(f"this {type(self).__name__} does not rate valence, arousal and dominance")

    def fitted_state(self) -> dict[str, Tensor]:
        """All that fitting decides, by name: what is kept of a model."""
        return self.state_dict()

    def load_fitted(self, state: Mapping[str, Tensor]) -> None:
        """Take what :meth:`fitted_state` gave.

        Raises:
            RuntimeError: it is of another network.
        """
        self.load_state_dict(state)

    def parts_by_depth(self) -> list[tuple[int | None, list[nn.Parameter]]]:
        """Weights to fit, with how many layers of an encoder lie above them; None outside an encoder."""
        return [(None, [each for each in self.parameters() if each.requires_grad])]


class EmbeddingNetwork(Network):
    """A network whose ``forward`` is ``head`` after ``embed``.

    Attributes:
        head: from an embedding to class scores, or to ratings before their tanh.
        dimensions: from an embedding to valence, arousal and dominance; None without that head.
        beside: from vectors beside the inputs to what they add to the embedding; None without vectors.
    """

    head: nn.Sequential
    dimensions: DimensionHead | None
    beside: nn.Sequential | None

    def __init__(self) -> None:
        super().__init__()
        self.dimensions = None
        self.beside = None

    @property
    def width(self) -> int:
        """Numbers of an embedding."""
        first = self.head[0]
        if not isinstance(first, nn.Linear):
            raise TypeError(f"the head of {type(self).__name__} does not begin with a linear layer")
        return first.in_features

    @abstractmethod
    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Summarise clips, and say how much each of their steps counts.

        Args:
            inputs: as for :meth:`forward`.
            lengths: as for :meth:`forward`.

        Returns:
            Shape ``(batch, d)``, and weights over steps of equal length, shape ``(batch, steps)``: each row
            sums to 1 and is 0 beyond the clip's own steps. None where the network weighs no steps.
        """

    def embed(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Summarise clips and what stands beside them, ``(batch, d)``; arguments as for :meth:`forward`."""
        return self.join(self.summarise(inputs, lengths)[0], beside)

    def join(self, pooled: Tensor, beside: Tensor | None) -> Tensor:
        """Put vectors beside what :meth:`summarise` gave.

        Args:
            pooled: shape ``(batch, d)``.
            beside: normalised vectors, shape ``(batch, columns)``; None for none.

        Raises:
            TypeError: the network was built for vectors and there are none, or the other way round.
        """
        if (self.beside is None) != (beside is None):
            wants = "no vectors" if self.beside is None else "vectors"
            raise TypeError(f"this {type(self).__name__} was built for {wants} beside its inputs")
        return pooled if self.beside is None else torch.cat([pooled, self.beside(beside)], 1)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Class scores before the softmax, shape ``(batch, classes)``."""
        logits: Tensor = self.head(self.embed(inputs, lengths, beside))
        return logits

    @property
    def rates(self) -> bool:
        """Whether it has a head for ratings."""
        return self.only_rates or self.dimensions is not None

    def rate(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Ratings in [-1, 1], shape ``(batch, dimensions)``; arguments as for :meth:`forward`.

        Raises:
            TypeError: the network has no head for them.
        """
        return self.rate_embedded(self.embed(inputs, lengths, beside))

    def rate_embedded(self, embeddings: Tensor) -> Tensor:
        """Ratings of clips by what :meth:`embed` gave, shape ``(batch, dimensions)``.

        Raises:
            TypeError: the network has no head for them.
        """
        if self.only_rates:
            return torch.tanh(self.head(embeddings))
        if self.dimensions is None:
            raise TypeError(f"this {type(self).__name__} has no head for valence, arousal and dominance")
        rated: Tensor = self.dimensions(embeddings)
        return rated

    def add_dimensions(self, dropout: float) -> None:
        """Give the network a head for valence, arousal and dominance, with fresh weights."""
        self.dimensions = DimensionHead(self.width, dropout)

    def add_vectors(self, columns: int, dropout: float) -> None:
        """Let the network take vectors beside its inputs: a projection and a wider head, with fresh weights.

        Args:
            columns: of a vector.
            dropout: share of columns, of projected numbers, and of units in the head that are dropped.
        """
        self.beside = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(columns, BESIDE), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = classifier(self.width + BESIDE, self.classes, dropout)


class MelNetwork(EmbeddingNetwork):
    """A network that turns mels, or steps of an encoder, into steps of its own and pools them over time.

    With ``masked``, frames beyond a clip's length reach no layer, so padding never changes a decision, and a
    clip of ``n`` frames gives ``max(1, n // frames_per_step)`` steps. Without it every layer is a plain one
    over all frames. A subclass builds its layers, calls :meth:`pool`, and says in :meth:`steps` what it
    makes of the mels.

    Args:
        masked: keep padding out.
        own_scale: put each clip on a scale of its own first.

    Attributes:
        attention: scores a step; None where all steps of a clip count alike.
        statistics: the standard deviation over steps is kept beside their mean.
    """

    attention: nn.Sequential | None
    statistics: bool

    def __init__(self, *, masked: bool, own_scale: bool) -> None:
        super().__init__()
        self.masked = masked
        self.own_scale = own_scale

    def pool(
        self, width: int, n_classes: int, *, attention: bool, dropout: float, statistics: bool = False
    ) -> None:
        """Build what comes after the steps: attention over them, and the head.

        Args:
            width: of a step.
            n_classes: number of outputs.
            attention: weigh steps when pooling them.
            dropout: share of units dropped in the head.
            statistics: keep the standard deviation over steps beside their mean.
        """
        self.classes = n_classes
        self.statistics = statistics
        self.attention = attention_layer(width) if attention else None
        self.head = classifier(width * (2 if statistics else 1), n_classes, dropout)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @abstractmethod
    def steps(self, mels: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What the network makes of mels ``(batch, n_mels, frames)``.

        Args:
            mels: about [-1, 1].
            lengths: valid frames of each clip, shape ``(batch,)``; None for all, and without mask.

        Returns:
            Shape ``(batch, steps, width)``, and how many steps are each clip's own; None for all.
        """

    def summarise(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Pool the steps of clips; see :meth:`EmbeddingNetwork.summarise`."""
        lengths = lengths if self.masked else None
        if self.own_scale:
            inputs = normalise_clip(inputs, lengths)
        states, counts = self.steps(inputs, lengths)
        weights = step_weights(self.attention, states, counts)
        pooled = weighted_statistics if self.statistics else weighted_mean
        return pooled(states, weights), None if self.attention is None else weights


def classifier(width: int, n_classes: int, dropout: float) -> nn.Sequential:
    """Build a head: one hidden layer with dropout, then the classes."""
    return nn.Sequential(nn.Linear(width, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, n_classes))


def one_clip(values: Float32s, frames: int, options: ModelOptions) -> tuple[Tensor, Tensor | None]:
    """What a network is handed of one clip alone.

    Without its padding a clip needs no mask, which is faster and gives the same scores.

    Args:
        values: padded mels ``(n_mels, max_frames)``, normalised features ``(features,)``, or steps of an
            encoder ``(steps, layers, width)``, all of them the clip's own.
        frames: mel frames that hold sound.
        options: of the network.

    Returns:
        A batch of one, and its length where the network has to know it.
    """
    if values.ndim != 2:
        return torch.from_numpy(values)[None], None
    if options.masked and frames >= options.architecture.frames_per_step:
        return torch.from_numpy(values[None, :, :frames].copy()), None
    return torch.from_numpy(values[None]), torch.tensor([frames])


def falls(network: Network, values: Float32s, frames: int, label: int) -> Float32s:
    """How far the log-odds of a class fall when a patch of a clip's mels is held at their mean.

    Args:
        network: on mels, on the CPU and in evaluation mode.
        values: padded mels, shape ``(n_mels, max_frames)``.
        frames: that hold sound.
        label: number of the class.

    Returns:
        Low bands first, shape ``(rows, columns)``; see :func:`~ser_pipeline.metrics.occlusion.occlusion`.
    """

    def score(mels: Float32s) -> Float64s:
        whole = torch.from_numpy(values).repeat(len(mels), 1, 1)
        whole[:, :, :frames] = torch.from_numpy(mels)
        with torch.inference_mode():
            logits = network(whole, torch.full((len(mels),), frames))
        return log_odds(logits.float().numpy(), label)

    return occlusion(values[:, :frames], score)
