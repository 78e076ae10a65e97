"""Graphs: what their metadata hold, loading them without torch, and how they compare with their networks."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import ValidationError

from ser_pipeline.arrays import Float32s, Floats
from ser_pipeline.audio.mono import usable
from ser_pipeline.datasets.normalise import Voice
from ser_pipeline.errors import AudioError, RunError, SettingsError
from ser_pipeline.options import Options, mels_of
from ser_pipeline.runs.about import About
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.runs.files import read_file
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import softmax
from ser_pipeline.serving.scorer import (
    VOICE,
    OnnxScorer,
    PreparedClip,
    WaveScorer,
    clip_of_wave,
    encoders_of,
    said_of,
)
from ser_pipeline.serving.voices import normalised_by, speaker_wise

GRAPH_KEY: Final = "ser"
"""Key of a graph's ``metadata_props`` under which everything stands as JSON."""


class GraphFacts(Options):
    """What a graph says of itself.

    Attributes:
        schema_version: of these facts.
        program: name and version of what made it.
        takes: name of its first input: unpadded mels, normalised features, or samples. Where the card has
            vectors beside mels, they are a second input, ``features``.
        padded: its mels are padded to the front end's longest clip.
        int8: its weights are quantised.
        fewest: fewest samples that it needs once silence is cut; 0 where that is not stated.
        trained_on: corpora, as the run names them.
        about: how good the run's model is, and on whom; None in graphs from before it was kept.
        card: ``model.json`` of the run.
    """

    schema_version: Literal[1] = 1
    program: str
    takes: Literal["mel", "features", "wave"]
    padded: bool
    int8: bool
    fewest: int = 0
    trained_on: tuple[str, ...] = ()
    about: About | None = None
    card: ModelCard

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what it must be given."""
        return (self.takes, "features") if self.takes == "mel" and self.card.n_beside else (self.takes,)


def load_graph(path: Path) -> tuple[GraphFacts, OnnxScorer | WaveScorer]:
    """Load a graph for prediction.

    Args:
        path: an ``.onnx`` file of ``ser export``.

    Raises:
        RunError: it cannot be read, is not a graph, is not one of ours, or its shapes do not fit what it says
            of itself.
        SettingsError: onnxruntime is not installed.
    """
    session = open_session(read_file(path, "export it again"), str(path))
    facts = read_facts(session.get_modelmeta().custom_metadata_map, str(path))
    if facts.takes == "wave" and not encoders_of(facts.card):
        raise RunError(
            f"{path}: takes samples and has the front end inside; predict with the run, or with an export "
            "without --front-end"
        )
    _check_shapes(session, facts, path)
    if facts.takes == "wave":
        return facts, WaveScorer(session, fewest=facts.fewest)
    return facts, OnnxScorer(session, padded=facts.padded)


def open_session(content: bytes, name: str) -> Any:
    """An inference session on one thread, from bytes alone: no other file is ever read.

    Raises:
        RunError: the bytes are not a graph that onnxruntime can run.
        SettingsError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as states
    except ModuleNotFoundError:
        raise SettingsError(f"{name}: needs onnxruntime; install it with pip install onnxruntime") from None
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
    others = set(inputs) - {*facts.inputs, *(VOICE if facts.takes == "wave" else ())}
    told, size = (
        ("logits", len(facts.card.emotions)) if facts.card.emotions else ("ratings", len(facts.card.target))
    )
    if others or shape is None or not {*facts.inputs} <= {*inputs} or told not in outputs:
        raise RunError(f"{path}: takes {', '.join(inputs)} and gives {', '.join(outputs)}; export it again")
    if facts.takes == "wave":
        shape = [1, *(outputs.get("vector") or ["?"])[1:]]
    wanted = 2 if mels_of(facts.card.inputs) is None else 3
    if len(facts.inputs) > 1 and inputs["features"][-1] != facts.card.n_beside:
        raise RunError(
            f"{path}: its input 'features' has shape {inputs['features']}, its metadata say "
            f"{facts.card.n_beside} numbers beside mels; export it again"
        )
    width = _width(facts.card)
    if len(shape) != wanted or shape[1] != width:
        raise RunError(
            f"{path}: its input '{facts.takes}' has shape {shape}, its metadata say {width} "
            f"{facts.card.inputs.kind}; export it again"
        )
    if outputs[told][-1] != size:
        what = "emotions" if facts.card.emotions else "ratings"
        raise RunError(
            f"{path}: gives {outputs[told][-1]} scores, its metadata name {size} {what}; export it again"
        )


def _width(card: ModelCard) -> int:
    """Bands of mels, or numbers of the vector that is classified: of a probe, those of all its layers."""
    if isinstance(card.n_inputs, int):
        return card.n_inputs
    encoder = encoders_of(card)[0]
    return len(encoder.layers) * encoder.width


@dataclass(frozen=True, slots=True)
class GraphCheck:
    """A graph beside the network it was made of.

    Attributes:
        clips: how many were compared.
        unusable: how many were left out: nothing is heard in them, or they are too short.
        largest: largest difference of a probability, or of a rating.
        agreement: share of clips with the same likeliest emotion; 1 for a model that only rates.
    """

    clips: int
    unusable: int
    largest: float
    agreement: float


def graph_inputs(model: Model, facts: GraphFacts, wave: Float32s) -> dict[str, Float32s]:
    """What a graph takes for a wave, by the names of its inputs.

    Raises:
        AudioError: nothing can be made of it.
    """
    if facts.takes == "wave":
        return {"wave": wave}
    return _shown(facts, _normalised(model, clip_of_wave(wave, model.card), None))


def _shown(facts: GraphFacts, clip: PreparedClip) -> dict[str, Float32s]:
    """What a graph of mels or features takes for a clip that is normalised: batches of one."""
    if facts.takes == "features":
        return {"features": clip.values[None]}
    mel = clip.values if facts.padded else clip.values[:, : clip.frames]
    return {"mel": mel[None]} | ({} if clip.beside is None else {"features": clip.beside[None]})


def _normalised(model: Model, clip: PreparedClip, voice: Voice | None) -> PreparedClip:
    """A clip as the network takes it; models that must know the speaker are told of somebody."""
    if clip.vector is None:
        return clip
    told = voice or _somebody(model, clip)
    return clip.with_vector(normalised_by(clip.vector[None], model.card, told)[0])


def _somebody(model: Model, clip: PreparedClip) -> Voice | None:
    """A speaker for comparisons: the model's usual one, or one that is near a clip if it must be told."""
    if speaker_wise(model.card) and clip.vector is not None:
        return Voice(center=tuple(0.9 * clip.vector), scale=tuple(0.1 * np.abs(clip.vector)))
    return model.card.learned.voice


def compare(model: Model, session: Any, facts: GraphFacts, waves: Iterable[Float32s]) -> GraphCheck:
    """Run a graph and the network it was made of on the same sounds.

    Args:
        model: the original.
        session: of the graph.
        facts: of the graph.
        waves: samples at the model's rate, each of shape ``(samples,)``.
    """
    graph, voice = WaveScorer(session, fewest=facts.fewest), None
    own, theirs, unusable = [], [], 0
    gives = {each.name for each in session.get_outputs()}
    names = [name for name in ("probabilities", "ratings") if name in gives]
    for wave in waves:
        try:
            wave = usable(wave, model.sample_rate, "recording")
            clip = clip_of_wave(wave, model.card)
        except AudioError:
            unusable += 1
            continue
        voice = voice or _somebody(model, clip)
        clip = _normalised(model, clip, voice)
        given = graph.inputs(wave, voice) if facts.takes == "wave" else _shown(facts, clip)
        theirs.append(np.concatenate([each[0] for each in session.run(names, given)]))
        logits, rated = said_of(model.scorer, clip)
        shares = softmax(logits, model.card.temperature or 1.0) if len(logits) else logits
        own.append(shares if rated is None else np.concatenate([shares, rated]))
    return _check_of(own, theirs, unusable, len(model.emotions))


def _check_of(own: Sequence[Floats], theirs: Sequence[Floats], unusable: int, classes: int) -> GraphCheck:
    if not own:
        return GraphCheck(0, unusable, 0.0, 1.0)
    ours, graphs = np.array(own), np.array(theirs)
    decided = [each[:, :classes].argmax(1) for each in (ours, graphs)] if classes else [np.zeros(1)] * 2
    same = float((decided[0] == decided[1]).mean())
    return GraphCheck(len(own), unusable, float(np.abs(ours - graphs).max()), same)
