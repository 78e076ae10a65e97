"""What turns a model's input into class scores: a torch network, or an ONNX graph."""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ser_pipeline.settings import FRAMES_PER_STEP

if TYPE_CHECKING:
    from ser_pipeline.models import Network

Float32s = npt.NDArray[np.float32]


class Scorer(Protocol):
    """Scores one clip at a time."""

    def logits(self, values: Float32s, frames: int) -> Float32s:
        """Class scores before the softmax, shape ``(classes,)``.

        Args:
            values: padded mels ``(n_mels, max_frames)``, or normalised features ``(features,)``.
            frames: mel frames that hold sound.
        """

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Weights of steps of eight frames, shape ``(steps,)``, sum 1; None where there are none."""


class TorchScorer:
    """A network of ours, in fp32 on the CPU.

    Args:
        network: in evaluation mode.
        masked: it keeps padding out. One clip without its padding then needs no mask, which is faster
            and gives the same scores.
    """

    def __init__(self, network: "Network", *, masked: bool) -> None:
        self.network = network
        self.masked = masked

    def logits(self, values: Float32s, frames: int) -> Float32s:
        """See :meth:`Scorer.logits`."""
        import torch

        from ser_pipeline.models import one_clip

        inputs, lengths = one_clip(values, frames, masked=self.masked)
        with torch.inference_mode():
            scores: Float32s = self.network(inputs, lengths)[0].numpy()
        return scores

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """See :meth:`Scorer.attention`."""
        import torch

        from ser_pipeline.models import EmbeddingNetwork, one_clip

        if not isinstance(self.network, EmbeddingNetwork):
            return None
        inputs, lengths = one_clip(values, frames, masked=self.masked)
        with torch.inference_mode():
            _, weights = self.network.summarise(inputs, lengths)
        if weights is None:
            return None
        found: Float32s = weights[0].numpy()
        return found


class OnnxScorer:
    """A graph exported by ``ser export``.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        padded: the graph takes clips with their padding.
    """

    def __init__(self, session: Any, *, padded: bool) -> None:
        self._session = session
        self._padded = padded
        self._input = session.get_inputs()[0].name

    def logits(self, values: Float32s, frames: int) -> Float32s:
        """See :meth:`Scorer.logits`."""
        if values.ndim == 2 and not self._padded:
            values = values[:, : max(frames, FRAMES_PER_STEP)]
        inputs = {self._input: np.ascontiguousarray(values[None])}
        scores: Float32s = self._session.run(["logits"], inputs)[0][0]
        return scores

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """Graphs give class scores alone."""
        return None
