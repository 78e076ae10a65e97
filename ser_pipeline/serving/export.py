"""Write a network as one ONNX file that says itself how to feed it, and prove it equal to the original."""

import importlib.util
import json
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ser_pipeline import __version__
from ser_pipeline.arrays import Float32s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import AudioError, RunError, SettingsError
from ser_pipeline.options import FrontEnd
from ser_pipeline.serving.graph import GRAPH_KEY, GraphFacts, open_session
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.scorer import PreparedClip, TorchScorer

OPSET: Final = 17
"""First version of ONNX's operators that has a Fourier transform of frames."""

QUANTISED: Final = ("LSTM", "MatMul")
"""Operators that are quantised; integer convolutions are slower than those of floats."""

EXACT: Final = 1e-4
"""Largest difference of a probability from the original's, but for int8."""

LENGTHS_S: Final = (0.6, 1.7, 3.9)
"""Lengths of the made-up sounds that every graph is run on, in seconds."""


@dataclass(frozen=True, slots=True)
class GraphCheck:
    """A graph beside the network it was made of.

    Attributes:
        clips: how many were compared.
        unusable: how many were left out: nothing is heard in them, or they are too short.
        largest: largest difference of a probability.
        agreement: share of clips with the same likeliest emotion.
    """

    clips: int
    unusable: int
    largest: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Export:
    """What was written.

    Attributes:
        path: of the graph.
        size: in bytes.
        facts: its metadata.
        made_up: comparison on made-up sounds of three lengths.
        clips: comparison on recordings; on none of them where none were given or could be used.
    """

    path: Path
    size: int
    facts: GraphFacts
    made_up: GraphCheck
    clips: GraphCheck


def export_graph(
    model: Model,
    path: Path,
    *,
    int8: bool = False,
    front_end: bool = False,
    waves: Iterable[Float32s] = (),
    trained_on: tuple[str, ...] = (),
) -> Export:
    """Write a network as an ONNX graph and compare it with the original.

    Args:
        model: loaded from a run.
        path: file to write.
        int8: quantise weights of LSTM and linear layers.
        front_end: let the graph take samples; for models of mels without noise reduction.
        waves: samples of recordings at the model's rate to compare on, besides made-up sounds.
        trained_on: corpora, for the metadata.

    Raises:
        SettingsError: a model that cannot be exported like this, or an extra is not installed.
        RunError: the graph gives other probabilities than the network; nothing is written then.
        SerError: the file cannot be written.
    """
    _check_installed()
    facts = graph_facts(model, int8=int8, front_end=front_end, trained_on=trained_on)
    content = _with_facts(_quantised(_traced(model, facts)) if int8 else _traced(model, facts), facts)
    session = open_session(content, str(path))
    sounds = [_sound(seconds, model.sample_rate) for seconds in LENGTHS_S]
    made_up = compare(model, session, facts, sounds)
    clips = compare(model, session, facts, waves)
    for found in (made_up, clips):
        if not int8 and found.largest > EXACT:
            raise RunError(
                f"{path}: the graph's probabilities differ by {found.largest:.2g} from the network's, "
                f"at most {EXACT:g} is allowed; nothing was written"
            )
    with write_atomically(path) as part:
        part.write_bytes(content)
    return Export(path, len(content), facts, made_up, clips)


def _check_installed() -> None:
    for library in ("onnx", "onnxruntime"):
        if importlib.util.find_spec(library) is None:
            raise SettingsError(f"export needs {library}; install it with pip install 'ser-pipeline[export]'")


def graph_facts(model: Model, *, int8: bool, front_end: bool, trained_on: tuple[str, ...] = ()) -> GraphFacts:
    """What a graph will say of itself.

    Raises:
        SettingsError: a model that cannot be exported like this.
    """
    card = model.card
    by_epochs = card.model.architecture.by_epochs
    if not by_epochs or not isinstance(model.scorer, TorchScorer):
        raise SettingsError(
            f"{model.name}: only networks of a run can be exported to ONNX; this is "
            + ("a graph already" if by_epochs else f"scikit-learn's '{card.model.name}'")
        )
    mels = isinstance(card.inputs, FrontEnd)
    if front_end and (not isinstance(card.inputs, FrontEnd) or card.inputs.denoise != "none"):
        raise SettingsError(
            f"{model.name}: --front-end needs a model of mels without noise reduction, as trained with "
            "'ser train crnn --denoise none'"
        )
    return GraphFacts(
        program=f"ser {__version__}",
        takes="wave" if front_end else "mel" if mels else "features",
        padded=mels and not card.model.masked,
        int8=int8,
        trained_on=trained_on,
        card=card,
    )


def _traced(model: Model, facts: GraphFacts) -> bytes:
    """Trace a network into a graph; frames, or samples, stay free."""
    import torch

    from ser_pipeline.serving.graph import Exported, WaveFront

    if not isinstance(model.scorer, TorchScorer):
        raise TypeError("only networks can be traced")
    front = WaveFront(model.card) if facts.takes == "wave" else None
    module = Exported(model.scorer.network, model.card, front).eval()
    free: dict[str, dict[int, str]] = {
        "wave": {0: "samples"},
        "mel": {} if facts.padded else {2: "frames"},
        "features": {},
    }
    with _folder() as folder, warnings.catch_warnings(), torch.inference_mode():
        # the exporter by torch.export splits an LSTM of unknown length into steps and fails
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.from_numpy(_example(model, facts)),),
            folder / "traced.onnx",
            dynamo=False,
            input_names=[facts.takes],
            output_names=["logits", "probabilities"],
            dynamic_axes={str(facts.takes): free[facts.takes]},
            opset_version=OPSET,
        )
        return (folder / "traced.onnx").read_bytes()


def _example(model: Model, facts: GraphFacts) -> Float32s:
    wave = _sound(2.0, model.sample_rate)
    return wave if facts.takes == "wave" else graph_input(model, facts, wave)[None]


def _quantised(content: bytes) -> bytes:
    """The graph with 8-bit weights in its large layers; numbers that flow stay floats.

    Weights use 7 of the 8 bits: processors without VNNI add products of 8 bits in 16 and cut what
    runs over, which was measured to change one decision in thirty.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _folder() as folder, _quiet():
        target = folder / "int8.onnx"
        quantize_dynamic(
            onnx.load_from_string(content),
            target,
            op_types_to_quantize=list(QUANTISED),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return target.read_bytes()


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for files that others insist on writing."""
    with tempfile.TemporaryDirectory(prefix="ser-export-") as name:
        yield Path(name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the quantiser's advice on steps that change nothing here, given through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _with_facts(content: bytes, facts: GraphFacts) -> bytes:
    import onnx

    graph = onnx.load_from_string(content)
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, {GRAPH_KEY: facts.model_dump_json(), **_for_others(facts)})
    graph.producer_name, graph.producer_version = "ser", __version__
    onnx.checker.check_model(graph)
    return bytes(graph.SerializeToString())


def _for_others(facts: GraphFacts) -> dict[str, str]:
    """The few facts that a program in another language needs at once, each under its own name."""
    card = facts.card
    plain: dict[str, Any] = {
        "emotions": list(card.emotions),
        "sample_rate": card.inputs.sample_rate,
        "inputs": card.inputs.model_dump(mode="json"),
        "temperature": card.temperature or 1.0,
        "synthetic": card.synthetic,
    }
    return {f"{GRAPH_KEY}.{name}": json.dumps(value) for name, value in plain.items()}


def graph_input(model: Model, facts: GraphFacts, wave: Float32s) -> Float32s:
    """What a graph takes for a wave, without the leading axis of one clip.

    Raises:
        AudioError: nothing can be made of it.
    """
    from ser_pipeline.serving.scorer import clip_of_wave

    return wave if facts.takes == "wave" else _input_of(model, facts, clip_of_wave(wave, model.card))


def _input_of(model: Model, facts: GraphFacts, clip: PreparedClip) -> Float32s:
    from ser_pipeline.serving.scorer import normalised

    if facts.takes == "features":
        some = np.repeat(clip.values[None], 5, axis=0)  # enough to describe a speaker by
        vector: Float32s = normalised(some, model.card, one_speaker=True)[0]
        return vector
    frames = (
        clip.values.shape[1]
        if facts.padded
        else max(clip.frames, model.card.model.architecture.frames_per_step)
    )
    values: Float32s = clip.values[:, :frames]
    return values


def compare(model: Model, session: Any, facts: GraphFacts, waves: Iterable[Float32s]) -> GraphCheck:
    """Run a graph and the network it was made of on the same sounds.

    Args:
        model: the original.
        session: of the graph.
        facts: of the graph.
        waves: samples at the model's rate, each of shape ``(samples,)``.
    """
    from ser_pipeline.serving.prediction import softmax
    from ser_pipeline.serving.scorer import clip_of_wave

    own, theirs, unusable = [], [], 0
    for wave in waves:
        try:
            clip = clip_of_wave(wave, model.card)
        except AudioError:
            unusable += 1
            continue
        values = wave if facts.takes == "wave" else _input_of(model, facts, clip)
        given = values if facts.takes == "wave" else values[None]
        theirs.append(session.run(["probabilities"], {facts.takes: given})[0][0])
        if facts.takes == "features":
            logits = model.scorer.logits(values, 1)
        else:
            logits = model.scorer.logits(clip.values, clip.frames)
        own.append(softmax(logits, model.card.temperature or 1.0))
    if not own:
        return GraphCheck(0, unusable, 0.0, 1.0)
    ours, graphs = np.array(own), np.array(theirs)
    same = float((ours.argmax(1) == graphs.argmax(1)).mean())
    return GraphCheck(len(own), unusable, float(np.abs(ours - graphs).max()), same)


def _sound(seconds: float, sample_rate: int) -> Float32s:
    """A gliding hum between silences, for tracing and for a first comparison."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(140 + 50 * np.sin(2 * np.pi * 1.3 * t)) / sample_rate
    hum = sum(np.sin(number * phase) / number for number in range(1, 15))
    noise = np.random.default_rng(0).standard_normal(t.size)
    loud = np.clip(3 * np.sin(np.pi * t / seconds), 0.001, 1)
    sound: Float32s = np.asarray(0.1 * loud * hum + 0.001 * noise, np.float32)
    return sound
