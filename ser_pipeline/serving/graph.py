"""Graphs: what is traced into one, what its metadata holds, and loading it for prediction."""

import json
import math
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.audio.prepare import FRAME, HOP
from ser_pipeline.datasets.normalise import OTHER_CORPORA, shifts
from ser_pipeline.dsp.mel import mel_filters
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.models import Network
from ser_pipeline.options import FrontEnd, Options
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.serving.scorer import OnnxScorer

LEAST_POWER = 1e-10
"""Mel powers are raised to this before their logarithm is taken."""

GRAPH_KEY: Final = "ser"
"""Key of a graph's ``metadata_props`` under which everything stands as JSON."""


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


class GraphFacts(Options):
    """What a graph says of itself.

    Attributes:
        schema_version: of these facts.
        program: name and version of what made it.
        takes: name of its input: unpadded mels, normalised features, or samples.
        padded: its mels are padded to the front end's longest clip.
        int8: its weights are quantised.
        trained_on: corpora, as the run names them.
        card: ``model.json`` of the run.
    """

    schema_version: Literal[1] = 1
    program: str
    takes: Literal["mel", "features", "wave"]
    padded: bool
    int8: bool
    trained_on: tuple[str, ...] = ()
    card: ModelCard


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


def load_graph(path: Path) -> tuple[ModelCard, OnnxScorer]:
    """Load a graph for prediction.

    Args:
        path: an ``.onnx`` file of ``ser export``.

    Raises:
        RunError: not a graph, not one of ours, or its shapes do not fit what it says of itself.
        SettingsError: onnxruntime is not installed.
    """
    session = open_session(path.read_bytes(), str(path))
    facts = read_facts(session.get_modelmeta().custom_metadata_map, str(path))
    if facts.takes == "wave":
        raise RunError(
            f"{path}: takes samples and has the front end inside; predict with the run, or with an export "
            "without --front-end"
        )
    _check_shapes(session, facts, path)
    fewest = 0 if facts.padded else facts.card.model.architecture.frames_per_step
    return facts.card, OnnxScorer(session, fewest=fewest)


def open_session(content: bytes, name: str) -> Any:
    """An inference session on one thread, from bytes alone: no other file is ever read.

    Raises:
        RunError: the bytes are no graph that onnxruntime can run.
        SettingsError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as states
    except ModuleNotFoundError:
        raise SettingsError(
            f"{name}: needs onnxruntime; install it with pip install 'ser-pipeline[export]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    wrong = (
        states.Fail,
        states.InvalidGraph,
        states.InvalidProtobuf,
        states.InvalidArgument,
        states.NotImplemented,
    )
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (*wrong, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RunError(f"{name}: not an ONNX graph that can be run: {reason}") from None


def read_facts(metadata: dict[str, str], name: str) -> GraphFacts:
    """Facts from a graph's metadata.

    Raises:
        RunError: it was not made by ``ser export``, or by another version of it.
    """
    if GRAPH_KEY not in metadata:
        raise RunError(
            f"{name}: an ONNX graph without '{GRAPH_KEY}' in its metadata: not made by 'ser export'"
        )
    try:
        return GraphFacts.model_validate(json.loads(metadata[GRAPH_KEY]))
    except (json.JSONDecodeError, ValidationError) as error:
        first = str(error).partition("\n")[0]
        raise RunError(f"{name}: metadata '{GRAPH_KEY}': {first}; export it again") from None


def _check_shapes(session: Any, facts: GraphFacts, path: Path) -> None:
    """Compare a graph's input and output with what its card says."""
    inputs = {each.name: each.shape for each in session.get_inputs()}
    outputs = {each.name: each.shape for each in session.get_outputs()}
    shape = inputs.get(facts.takes)
    if len(inputs) != 1 or shape is None or "logits" not in outputs:
        raise RunError(f"{path}: takes {', '.join(inputs)} and gives {', '.join(outputs)}; export it again")
    wanted = 3 if isinstance(facts.card.inputs, FrontEnd) else 2
    if len(shape) != wanted or shape[1] != facts.card.n_inputs:
        raise RunError(
            f"{path}: its input '{facts.takes}' has shape {shape}, its metadata say {facts.card.n_inputs} "
            f"{facts.card.inputs.kind}; export it again"
        )
    if outputs["logits"][-1] != len(facts.card.emotions):
        raise RunError(
            f"{path}: gives {outputs['logits'][-1]} scores, its metadata name {len(facts.card.emotions)} "
            "emotions; export it again"
        )
