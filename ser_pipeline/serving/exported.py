"""What is traced into a graph: a network for one clip, and the front end before it if wanted."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.audio.trim import FRAME, HOP
from ser_pipeline.datasets.level import OTHER_CORPORA, shifts
from ser_pipeline.features.mel import mel_filters
from ser_pipeline.models import Network
from ser_pipeline.settings import FrontEnd
from ser_pipeline.training.card import ModelCard

LEAST_POWER = 1e-10
"""Mel powers are raised to this before their logarithm is taken."""


class Exported(nn.Module):
    """One unpadded clip to class scores and probabilities.

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

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and probabilities, each of shape ``(1, classes)``.

        Args:
            inputs: mels ``(1, n_mels, frames)``, features ``(1, features)``, or samples ``(samples,)``.
        """
        logits = self.network(inputs if self.front is None else self.front(inputs), None)
        return logits, (logits / self.temperature).softmax(1)


class WaveFront(nn.Module):
    """Trim, level, mels and dB as in the front end, in operations a graph can hold.

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
        options = self.options
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
