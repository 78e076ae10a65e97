"""What is traced into a graph: a network, and the way from samples to what it takes."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.audio.prepare import FRAME, HOP
from ser_pipeline.datasets.normalise import OTHER_CORPORA, WIDEST, inverse, shifts
from ser_pipeline.dsp.mel import mel_filters
from ser_pipeline.encoders.embed import Encoder, pooled
from ser_pipeline.encoders.network import Network as EncoderNetwork
from ser_pipeline.models.finetune import FineTuned
from ser_pipeline.models.network import Network
from ser_pipeline.models.probe import Probe
from ser_pipeline.options import POOLINGS, EmbeddingOptions, FrontEnd, WaveOptions
from ser_pipeline.runs.card import ModelCard

LEAST_OFFSET = 2e-7
"""Smaller means are what rounding and resampling leave of an offset that is already gone."""

LEAST_POWER = 1e-10
"""Mel powers are raised to this before their logarithm is taken."""


class Exported(nn.Module):
    """One unpadded clip to class scores and probabilities, to ratings, or to both.

    Args:
        network: in evaluation mode.
        card: of the model; its temperature makes the probabilities.
        front: turns samples into mels first; None takes mels or features.
    """

    def __init__(self, network: Network, card: ModelCard, front: "WaveFront | None" = None) -> None:
        super().__init__()
        self.network = network
        self.front = front
        self.temperature = card.temperature or 1.0

    def forward(self, inputs: Tensor, beside: Tensor | None = None) -> tuple[Tensor, ...]:
        """Logits and probabilities, each of shape ``(1, classes)``, and ratings ``(1, dimensions)``.

        Args:
            inputs: mels ``(1, n_mels, frames)``, features ``(1, features)``, or samples ``(samples,)``.
            beside: normalised vectors beside mels, ``(1, columns)``; None for none.
        """
        given = (inputs if self.front is None else self.front(inputs), None, beside)
        rated = (self.network.rate(*given),) if self.network.rates else ()
        if self.network.only_rates:
            return rated
        logits = self.network(*given)
        return logits, (logits / self.temperature).softmax(1), *rated


class WaveFront(nn.Module):
    """Offset, trim, level, mels and dB as in the front end, in operations a graph can hold.

    Everything but noise reduction, whose loops over frames a graph cannot hold well.

    Args:
        card: of a model of mels without noise reduction.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        if not isinstance(card.inputs, FrontEnd):
            raise TypeError("only mels have a front end that a graph can hold")
        self.options = card.inputs
        self.padded = not card.model.masked
        self.shift = float(shifts(card.learned.gains_db, [OTHER_CORPORA], card.inputs)[0])
        n_fft = self.options.n_fft
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
        self.register_buffer("window", torch.from_numpy(window.astype(np.float32)))
        filters = mel_filters(self.options.sample_rate, n_fft, self.options.n_mels)
        self.register_buffer("filters", torch.from_numpy(filters))

    def forward(self, wave: Tensor) -> Tensor:
        """Samples at the front end's rate, ``(samples,)``, to mels ``(1, n_mels, frames)``."""
        options, wave = self.options, around_zero(wave)
        if options.trim_db is not None:
            wave = trimmed(wave, options.trim_db)
        if options.level == "clip_rms":
            wave = wave * (options.target_rms / wave.square().mean().sqrt().clamp(min=1e-12))
        mel = self._scaled(self._powers(wave[: round(options.max_s * options.sample_rate)]))
        mel = mel.half().float()  # as the store keeps them
        if self.shift:
            mel = (mel + self.shift).clamp(min=-1.0)
        if self.padded:
            rest = torch.full((options.n_mels, options.max_frames), options.pad_value)
            mel = torch.cat([mel, rest], 1)[:, : options.max_frames]
        return mel[None]

    def _powers(self, wave: Tensor) -> Tensor:
        options = self.options
        around = F.pad(wave[None], (options.n_fft // 2, options.n_fft // 2))
        spectrum = torch.stft(
            around,
            options.n_fft,
            options.hop_length,
            window=self.window,
            center=False,
            onesided=True,
            return_complex=False,
        )  # (1, bins, frames, 2)
        return self.filters @ spectrum.square().sum(3)[0]

    def _scaled(self, powers: Tensor) -> Tensor:
        options = self.options
        level = powers.clamp(min=LEAST_POWER).log() * (10 / math.log(10))
        if options.reference == "clip_max":
            level = level - level.max()
        level = level.clamp(min=options.floor_db)
        if options.scale == "clip_minmax":
            low = level.min()
            return 2 * (level - low) / (level.max() - low).clamp(min=1e-6) - 1
        span = options.ceiling_db - options.floor_db
        return (level - options.floor_db) * (2 / span) - 1


class ExportedEncoder(nn.Module):
    """Samples to class scores and probabilities by layers of an encoder, which is inside.

    Args:
        network: in evaluation mode.
        card: of a model of embeddings.
        encoders: its inputs, with their places on this machine.

    Raises:
        EncoderError: the encoder cannot be loaded, is another one, or cannot be written as a graph.
    """

    def __init__(self, network: Network, card: ModelCard, encoders: Sequence[EmbeddingOptions]) -> None:
        super().__init__()
        if card.learned.scaling is None:
            raise TypeError("models of embeddings have a scaling")
        self.fronts = nn.ModuleList(EncoderFront(each) for each in encoders)
        self.network = network
        self.temperature = card.temperature or 1.0
        scaling = card.learned.scaling
        self.center = torch.tensor(scaling.center)
        self.inverse = torch.from_numpy(inverse(np.array(scaling.scale))).float()

    def forward(self, wave: Tensor, *voice: Tensor) -> tuple[Tensor, ...]:
        """Logits and probabilities ``(1, classes)``, the layers' vector before it is normalised, and ratings.

        Args:
            wave: at 16 kHz, shape ``(samples,)``.
            voice: mean and deviation of the speaker, shape ``(features,)`` each, for models that take them.
        """
        vector = values = torch.cat([front(wave) for front in self.fronts], 1)
        if voice:
            center, scale = voice
            still = scale == 0
            values = (vector - center) * (~still / (scale + still))
        scaled = ((values - self.center) * self.inverse).clamp(-WIDEST, WIDEST)
        rated = (self.network.rate(scaled, None),) if self.network.rates else ()
        if self.network.only_rates:
            return vector, *rated
        logits = self.network(scaled, None)
        return logits, (logits / self.temperature).softmax(1), vector, *rated


class ExportedSteps(nn.Module):
    """Samples to class scores and probabilities by a probe on an encoder's steps, with the encoder inside.

    Args:
        network: in evaluation mode; corrections to the encoder's weights become a part of them.
        card: of the network.

    Raises:
        EncoderError: the encoder cannot be loaded, is another one, or cannot be written as a graph.
    """

    def __init__(self, network: Probe, card: ModelCard) -> None:
        super().__init__()
        if isinstance(network, FineTuned) and isinstance(card.inputs, WaveOptions) and card.inputs.encoder:
            encoder, network = network.apart()
            self.front = StepsFront(card.inputs, card.inputs.encoder, encoder)
        elif isinstance(card.inputs, EmbeddingOptions):
            self.front = StepsFront(card.inputs, card.inputs, Encoder(card.inputs).network)
        else:
            raise TypeError("only probes on an encoder's steps have one inside")
        self.network = network
        self.temperature = card.temperature or 1.0

    def forward(self, wave: Tensor) -> tuple[Tensor, ...]:
        """Logits and probabilities ``(1, classes)``, the head's input ``(1, layers * width)``, and ratings.

        Args:
            wave: at 16 kHz, shape ``(samples,)``.
        """
        vector = self.network.embed(self.front(wave), None).reshape(1, self.network.width)
        rated = (self.network.rate_embedded(vector),) if self.network.rates else ()
        if self.network.only_rates:
            return vector, *rated
        logits = self.network.head(vector)
        return logits, (logits / self.temperature).softmax(1), vector, *rated


class _EncoderFront(nn.Module):
    """Take the offset away, trim, crop, and run an encoder up to the last layer wanted, as a store does.

    Args:
        options: what the encoder hears of a wave.
        encoder: its layers are taken.
        run: the encoder.
    """

    def __init__(
        self, options: EmbeddingOptions | WaveOptions, encoder: EmbeddingOptions, run: EncoderNetwork
    ) -> None:
        super().__init__()
        self.options = options
        self.encoder = encoder
        self.run = run
        self.weights = run.network

    def heard(self, wave: Tensor) -> Tensor:
        """The part of a wave that the encoder hears."""
        wave = around_zero(wave)
        if self.options.trim_db is not None:
            wave = trimmed(wave, self.options.trim_db)
        if self.options.crop_s is not None:
            wave = wave[: round(self.options.crop_s * self.options.sample_rate)]
        return wave

    def layers(self, wave: Tensor) -> list[Tensor]:
        """States of each layer, ``(parts, steps, width)``."""
        found: dict[int, Tensor] = {}
        self.run.whole(windows(wave, self.run.window), found.__setitem__)
        return [found[layer] for layer in self.encoder.layers]


class EncoderFront(_EncoderFront):
    """Pooled layers of an encoder.

    Args:
        options: located.

    Raises:
        EncoderError: the encoder cannot be loaded, or is another one than the options say.
    """

    def __init__(self, options: EmbeddingOptions) -> None:
        super().__init__(options, options, Encoder(options).network)
        self.pooling = [POOLINGS.index(name) for name in options.pooling]

    def forward(self, wave: Tensor) -> Tensor:
        """Samples at 16 kHz, ``(samples,)``, to pooled layers side by side, ``(1, features)``."""
        states = self.layers(self.heard(wave))
        mean, deviation, most = torch.stack([pooled(each, None) for each in states], 1).unbind(2)
        whole = mean.mean(0)
        spread = (deviation.square() + (mean - whole).square()).mean(0).sqrt()
        pools = torch.stack([whole, spread, most.amax(0)], 1)  # (layers, 3, width)
        return pools[:, self.pooling].reshape(1, -1)


class StepsFront(_EncoderFront):
    """Steps of an encoder's layers; what a store would keep of them is rounded as the store rounds it."""

    def forward(self, wave: Tensor) -> Tensor:
        """Samples at 16 kHz, ``(samples,)``, to steps ``(1, steps, layers, width)``."""
        wave, options = self.heard(wave), self.options
        if isinstance(options, WaveOptions):
            frames = torch._shape_as_tensor(wave)[0] // options.FRAME
            return self.steps(wave[: frames * options.FRAME].half().float())
        return self.steps(wave).half().float()

    def steps(self, wave: Tensor) -> Tensor:
        """Layers side by side, and the parts of a long wave one after another."""
        return torch.stack(self.layers(wave), 2).flatten(0, 1)[None]


def windows(wave: Tensor, longest: int) -> Tensor:
    """Cut a wave into the fewest equal parts, ``(parts, samples)``; a sample too many is left out of a part.

    Args:
        wave: shape ``(samples,)``.
        longest: samples of a part at most.

    Examples:
        >>> windows(torch.arange(5), 3).tolist()
        [[0, 1], [3, 4]]
    """
    samples = torch._shape_as_tensor(wave)[0]
    count = (samples + longest - 1) // longest
    number = torch.arange(count)  # type: ignore[call-overload]
    start = number * (samples // count) + torch.minimum(number, samples % count)
    inside = torch.arange(samples // count)  # type: ignore[call-overload]
    return wave[start[:, None] + inside]


def around_zero(wave: Tensor) -> Tensor:
    """A wave without its offset, as :func:`ser_pipeline.audio.mono.mixed` gives it.

    Args:
        wave: shape ``(samples,)``.

    Examples:
        >>> around_zero(torch.tensor([0, 0, 0.75, 0.25, 0])).tolist()
        [0.0, 0.0, 0.25, -0.25, 0.0]
    """
    heard = (wave != 0).to(torch.int32)
    last = torch._shape_as_tensor(wave)[0] - 1
    number = torch.arange(last + 1)  # type: ignore[call-overload]
    inside = (number >= heard.argmax(0)) & (number <= last - heard.flip(0).argmax(0))
    offset = wave.sum() / inside.sum()
    moved: Tensor = wave - inside * (offset * (offset.abs() >= LEAST_OFFSET))
    return moved


def trimmed(wave: Tensor, trim_db: float) -> Tensor:
    """Samples between the first and the last frame near the loudest, as ``active_span`` finds them.

    Args:
        wave: shape ``(samples,)``.
        trim_db: frames more than this below the loudest are cut from both ends.
    """
    around = F.pad(wave.square()[None, None], (FRAME // 2, FRAME // 2))
    power = F.avg_pool1d(around, FRAME, HOP)[0, 0]
    loud = torch.nonzero(power >= power.max() * 10 ** (-trim_db / 10))[:, 0]
    return wave[loud.min() * HOP : (loud.max() + 1) * HOP]
