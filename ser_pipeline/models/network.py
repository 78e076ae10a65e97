"""What every model has in common, whatever it learns from."""

from typing import Self

from torch import Tensor, nn

from ser_pipeline.settings import ModelOptions


class Network(nn.Module):
    """Inputs of clips to class scores.

    Attributes:
        classes: number of outputs.
    """

    classes: int

    @classmethod
    def from_options(cls, options: ModelOptions, n_inputs: int, n_classes: int) -> Self:
        """Build the network that the options describe, with fresh weights from torch's own generator.

        Args:
            options: architecture and its options.
            n_inputs: mel bands, or features.
            n_classes: number of outputs.
        """
        raise NotImplementedError

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Class scores before the softmax, shape ``(batch, classes)``.

        Args:
            inputs: mels ``(batch, n_mels, frames)`` or features ``(batch, features)``.
            lengths: valid frames of each clip, shape ``(batch,)``; not looked at for features.
        """
        raise NotImplementedError
