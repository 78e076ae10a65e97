"""From waves to what a store keeps of them: layers of a pretrained encoder, pooled or step by step."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ser_pipeline.arrays import Float32s, Floats
from ser_pipeline.encoders.checkpoint import Checkpoint, load_network, read_checkpoint, weights_digest
from ser_pipeline.encoders.network import network_of, valid_steps
from ser_pipeline.errors import AudioError, AudioShort, EncoderError
from ser_pipeline.options import POOLINGS, EmbeddingOptions
from ser_pipeline.processes import chosen_device

BATCH_S: Final = 240.0
"""Seconds of sound in one batch on a GPU, padding counted. On the processor each clip runs alone: a batch
is no faster there, and alone a clip gives the same bytes whatever is computed beside it."""

_DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Embedding:
    """What an encoder made of one clip.

    Attributes:
        values: float32 of shape ``(layers, poolings, width)``, or float16 of ``(steps, layers, width)``.
        steps: of the clip.
    """

    values: Floats
    steps: int


@dataclass(slots=True)
class _Window:
    """One stretch of a clip that the encoder sees at once, and what it made of it."""

    clip: int
    wave: Float32s
    steps: int
    states: dict[int, torch.Tensor] = field(default_factory=dict)


class Encoder:
    """A pretrained encoder, ready to run.

    Attributes:
        device: that it runs on.
        network: its own way to run.
    """

    def __init__(self, options: EmbeddingOptions, *, batch_s: float | None = None) -> None:
        """Load an encoder.

        Args:
            options: completed by :func:`~ser_pipeline.encoders.checkpoint.located`.
            batch_s: seconds of sound in a batch; None for :data:`BATCH_S` on a GPU, one clip elsewhere.

        Raises:
            EncoderError: it cannot be loaded, or is another one than the options say.
        """
        checkpoint = read_checkpoint(Path(options.folder))
        same_weights(checkpoint, options)
        self.device = torch.device(chosen_device(options.device))
        self._options = options
        last = max(options.layers)
        network = load_network(checkpoint, last).to(self.device, _DTYPES[options.precision])
        self.network = network_of(checkpoint, network, last)
        self._batch_s = batch_s if batch_s is not None else (0.0 if self.device.type == "cpu" else BATCH_S)
        self._lock = threading.Lock()

    @torch.inference_mode()
    def embed(self, waves: Sequence[Float32s]) -> list[Embedding | AudioError]:
        """Run the encoder on clips of any lengths.

        Args:
            waves: mono samples at 16 kHz, shape ``(samples,)`` each.

        Returns:
            In the order of ``waves``; an error for a clip shorter than one step, or without finite numbers.
        """
        with self._lock:
            windows = [window for number, wave in enumerate(waves) for window in self._windows(number, wave)]
            for batch in self._batches(sorted(windows, key=lambda window: -window.steps)):
                self._run(batch)
            by_clip: list[list[_Window]] = [[] for _ in waves]
            for window in windows:
                by_clip[window.clip].append(window)
            return [self._joined(parts) for parts in by_clip]

    def _windows(self, clip: int, wave: Float32s) -> Iterator[_Window]:
        """Cut a clip into the fewest equal parts that the encoder can see."""
        for part in np.array_split(wave, max(1, -(-wave.size // self.network.window))):
            steps = self.network.steps(part.size)
            if steps > 0:
                yield _Window(clip, part, steps)

    def _batches(self, windows: Sequence[_Window]) -> Iterator[list[_Window]]:
        """Neighbours in length, as many as :data:`BATCH_S` allows with their padding."""
        batch: list[_Window] = []
        for window in windows:
            longest = (batch or [window])[0].wave.size / EmbeddingOptions.SAMPLE_RATE
            if batch and (len(batch) + 1) * longest > self._batch_s:
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    def _run(self, batch: Sequence[_Window]) -> None:
        waves = [torch.from_numpy(np.ascontiguousarray(item.wave)).to(self.device) for item in batch]
        steps = [item.steps for item in batch]
        valid = valid_steps(steps, self.device)
        kept: dict[int, torch.Tensor] = {}

        def take(layer: int, states: torch.Tensor) -> None:
            if layer in self._options.layers:  # stays on the device: a copy for each layer would wait for it
                kept[layer] = states.half() if self._options.frames else pooled(states.float(), valid)

        self.network.run([self.network.inputs(wave) for wave in waves], steps, take)
        for layer, states in kept.items():
            for item, own in zip(batch, states.cpu(), strict=True):
                item.states[layer] = own[: item.steps] if self._options.frames else own

    def _joined(self, parts: Sequence[_Window]) -> Embedding | AudioError:
        if not parts:
            return AudioShort("shorter than one step of the encoder; the recording cannot be used")
        steps = [part.steps for part in parts]
        layers = [torch.stack([part.states[layer] for layer in self._options.layers]) for part in parts]
        if self._options.frames:
            values = torch.cat([states.transpose(0, 1) for states in layers])  # (steps, layers, width)
        else:
            whole = layers[0] if len(layers) == 1 else merged_pools(torch.stack(layers), steps)
            values = whole[:, [POOLINGS.index(name) for name in self._options.pooling]]
        if not bool(torch.isfinite(values).all()):
            hint = "" if self._options.precision == "fp32" else "; try --precision fp32"
            return AudioError(
                f"what the encoder makes of it is not finite; the recording cannot be used{hint}"
            )
        return Embedding(values.numpy(), sum(steps))


def pooled(states: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    """Mean, standard deviation (of the clip itself, not of a sample) and maximum over the steps of each clip.

    Args:
        states: shape ``(clips, steps, width)``.
        valid: steps that count, shape ``(clips, steps)``; None for all.

    Returns:
        Shape ``(clips, 3, width)``.

    Examples:
        >>> pooled(torch.tensor([[[1.0], [3.0]]]), None).flatten().tolist()
        [2.0, 1.0, 3.0]
    """
    if valid is None:
        variance, mean = torch.var_mean(states, 1, correction=0)
        return torch.stack([mean, variance.sqrt(), states.amax(1)], 1)
    share = (valid / valid.sum(1, keepdim=True))[..., None]
    mean = (states * share).sum(1)
    variance = ((states - mean[:, None]).square() * share).sum(1)
    most = states.masked_fill(~valid[..., None], -torch.inf).amax(1)
    return torch.stack([mean, variance.sqrt(), most], 1)


def merged_pools(parts: torch.Tensor, steps: Sequence[int]) -> torch.Tensor:
    """Pool the windows of one clip as if all their steps had been pooled at once.

    Args:
        parts: of :func:`pooled`, shape ``(windows, layers, 3, width)``.
        steps: of each window.

    Returns:
        Shape ``(layers, 3, width)``.

    Examples:
        >>> parts = torch.tensor([[[[1.0], [0.0], [1.0]]], [[[3.0], [0.0], [3.0]]]])
        >>> merged_pools(parts, (1, 1)).flatten().tolist()
        [2.0, 1.0, 3.0]
    """
    share = (torch.tensor(steps) / sum(steps))[:, None, None]
    mean = (parts[:, :, 0] * share).sum(0)
    variance = ((parts[:, :, 1].square() + (parts[:, :, 0] - mean).square()) * share).sum(0)
    return torch.stack([mean, variance.sqrt(), parts[:, :, 2].amax(0)], 1)


@lru_cache(maxsize=8)  # a model may hear through several, an ensemble through more
def encoder_of(options: EmbeddingOptions) -> Encoder:
    """The encoder of these options, loaded once in a process."""
    return Encoder(options)


def same_weights(checkpoint: Checkpoint, options: EmbeddingOptions) -> None:
    """Refuse an encoder that is another one than was used before.

    Raises:
        EncoderError: its bytes differ from those the options name.
    """
    found = weights_digest(checkpoint)
    if found != options.weights:
        raise EncoderError(
            f"{checkpoint.folder}: holds other weights ({found[:8]}) than the embeddings or the model were "
            f"made with ({options.weights[:8]}); put that encoder back, or cache and train again with this "
            "one"
        )
