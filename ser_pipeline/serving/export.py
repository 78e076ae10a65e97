"""Write a network as one ONNX file that says itself how to feed it, and prove it equal to the original."""

import importlib.util
import json
import logging
import tempfile
import warnings
from bisect import bisect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from ser_pipeline import __version__
from ser_pipeline.arrays import Float32s
from ser_pipeline.atomic import remove_file, whole_folder, write_atomically
from ser_pipeline.audio.mono import mixed
from ser_pipeline.encoders import anywhere
from ser_pipeline.errors import RunError, SerError, SettingsError, remark
from ser_pipeline.front_end import FEWEST_FRAMES
from ser_pipeline.options import FrontEnd, Fused, WaveOptions, input_versions, mels_of
from ser_pipeline.runs.card import ModelCard, read_card
from ser_pipeline.runs.files import finished_info, read_info
from ser_pipeline.runs.find import is_run
from ser_pipeline.serving.graph import GRAPH_KEY, GraphCheck, GraphFacts, compare, graph_inputs, open_session
from ser_pipeline.serving.hub import licence_text, settings_text
from ser_pipeline.serving.load import GRAPH, by_network, load_model
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.model_card import write_model_card
from ser_pipeline.serving.scorer import VOICE, TorchScorer, encoders_of
from ser_pipeline.serving.voices import speaker_wise

OPSET: Final = 17
"""First version of ONNX's operators that has a Fourier transform of frames."""

QUANTISED: Final = ("LSTM", "MatMul")
"""Operators that are quantised; integer convolutions are slower than those of floats."""

EXACT: Final = 1e-4
"""Largest difference of a probability from the original's, but for int8."""

LENGTHS_S: Final = (0.6, 1.7, 3.9)
"""Lengths of the made-up sounds that every graph is run on, in seconds."""

EXAMPLE_S: Final = 2.0
"""Length of the made-up sound that is traced."""

_MOST_FOR_A_STEP: Final = 1 << 20
"""More samples than any encoder needs for one step."""


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
        model: loaded from a run. What it learned of an encoder is in the graph together with the encoder, in
            fp32 whatever the precision of the embeddings.
        path: file to write.
        int8: quantise weights of LSTM and linear layers.
        front_end: let the graph take samples, as graphs with an encoder always do; for models of mels without
            noise reduction.
        waves: samples of recordings at the model's rate to compare on, besides made-up sounds.
        trained_on: corpora, for the metadata.

    Raises:
        SettingsError: a model that cannot be exported like this, such as one without a layer that can be
            quantised, or an extra is not installed.
        EncoderError: its encoder is not here, is another one, or has no graph.
        RunError: the training of its run has not ended, or the graph gives other probabilities than the
            network; nothing is written then.
        SerError: the file cannot be written.
    """
    _check_installed()
    if model.run is not None and is_run(model.run):
        finished_info(model.run)
    model = _traceable(model)
    facts = graph_facts(model, int8=int8, front_end=front_end, trained_on=trained_on)
    content = _with_facts(
        _quantised(_traced(model, facts), model.name) if int8 else _traced(model, facts), facts
    )
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


def export_folder(
    model: Model,
    run: Path,
    out: Path,
    *,
    int8: bool = False,
    waves: Iterable[Float32s] = (),
    trained_on: tuple[str, ...] = (),
) -> Export:
    """Write a folder as a model on the Hugging Face Hub has one: graph, card, settings and licence.

    Args:
        model: loaded from the run.
        run: its folder; it has been scored.
        out: the folder to be, which appears when it is whole.
        int8: as for :func:`export_graph`, like the others.
        waves: samples of recordings to compare on.
        trained_on: corpora.

    Raises:
        SerError: the folder holds something already, or cannot be written; and as :func:`export_graph` and
            :func:`~ser_pipeline.serving.model_card.write_model_card`.
    """
    _check_installed()
    facts = graph_facts(_traceable(model), int8=int8, front_end=False, trained_on=trained_on)
    texts = {
        "README.md": write_model_card(run, facts),
        "LICENSE": licence_text(read_info(run), model.card),
        "config.json": settings_text(facts),
    }
    with whole_folder(out) as part:
        for name, text in texts.items():
            (part / name).write_text(text, encoding="utf-8", newline="\n")
        made = export_graph(model, part / GRAPH, int8=int8, waves=waves, trained_on=trained_on)
    return replace(made, path=out / GRAPH)


def keep_graph(folder: Path) -> bool:
    """Write a run's graph beside its weights, which answers without torch; tell whether there is one now.

    There is none of ensembles, of models with an encoder, whose graph would hold the encoder as well, and
    where ``onnx`` is not installed.

    What else is in the way is said and changes nothing.
    """
    card = read_card(folder)
    if card.members or encoders_of(card) or importlib.util.find_spec("onnx") is None:
        return False
    try:
        remove_file(folder / GRAPH)
        export_graph(load_model(folder), folder / GRAPH, trained_on=read_info(folder).learned_from)
    except SerError as error:
        remark(f"{error}; predictions take the network itself")
        return False
    return True


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
    mels, inside = mels_of(card.inputs) is not None, bool(encoders_of(card))
    if card.n_beside and not mels:
        raise SettingsError(
            f"{model.name}: a probe with vectors beside its frames cannot be exported; a probe on frames "
            "alone can, and so can networks on mels and vectors"
        )
    if front_end and not inside and (not isinstance(card.inputs, FrontEnd) or card.inputs.denoise != "none"):
        raise SettingsError(
            f"{model.name}: --front-end needs a model of mels alone without noise reduction, as trained with "
            "'ser train crnn --denoise none', or of embeddings"
        )
    return GraphFacts(
        program=f"ser {__version__}",
        takes="wave" if front_end or inside else "mel" if mels else "features",
        padded=mels and not card.model.masked,
        int8=int8,
        fewest=_fewest(card),
        trained_on=trained_on,
        about=model.about,
        card=card.model_copy(update={"inputs": anywhere(card.inputs)}),
    )


def _traceable(model: Model) -> Model:
    """The model as it can be traced: encoders in fp32 on the processor.

    Raises:
        SettingsError: it is a graph already, an ensemble, or consists of trees on layers of an encoder.
    """
    if model.card.members:
        raise SettingsError(f"{model.name}: an ensemble is not a network; export one of its members")
    model = by_network(model)
    if not isinstance(model.scorer, TorchScorer):
        raise SettingsError(f"{model.name}: only a run can be exported to ONNX; this is a graph already")
    card, network = model.card, model.scorer.network
    if card.model.name == "gboost" and encoders_of(card):
        raise SettingsError(
            f"{model.name}: gboost on an encoder cannot be exported, because tiny differences in its layers "
            "cross thresholds of trees; export logreg, svm or a network"
        )
    changes = {"precision": "fp32", "device": "cpu"}
    parts = tuple(each.model_copy(update=changes) for each in encoders_of(card))
    if parts and not isinstance(card.inputs, WaveOptions):
        inputs = Fused(parts=parts) if len(parts) > 1 else parts[0]
        card = card.model_copy(update={"inputs": inputs, "inputs_version": input_versions(inputs)})
    return replace(model, card=card, scorer=TorchScorer(network, card.model))


def _fewest(card: ModelCard) -> int:
    """Samples that each encoder of a model needs for one step; 0 without one."""
    from ser_pipeline.encoders.embed import encoder_of

    if isinstance(card.inputs, WaveOptions):
        return FEWEST_FRAMES * card.inputs.FRAME
    networks = [encoder_of(each).network for each in encoders_of(card)]
    return max((1 + bisect(range(1, _MOST_FOR_A_STEP), 0, key=each.steps) for each in networks), default=0)


def _traced(model: Model, facts: GraphFacts) -> bytes:
    """Trace a network into a graph; frames, or samples, stay free."""
    import torch

    from ser_pipeline.models.probe import Probe
    from ser_pipeline.serving.traced import Exported, ExportedEncoder, ExportedSteps, WaveFront

    if not isinstance(model.scorer, TorchScorer):
        raise TypeError("only networks can be traced")
    network, card = model.scorer.network, model.card
    encoders = encoders_of(card)
    if isinstance(network, Probe):
        module: torch.nn.Module = ExportedSteps(network, card)
    elif encoders:
        module = ExportedEncoder(network, card, encoders)
    else:
        module = Exported(network, card, WaveFront(card) if facts.takes == "wave" else None)
    voice = _voice(card) if encoders else ()
    example = graph_inputs(model, facts, _sound(EXAMPLE_S, model.sample_rate))
    free: dict[str, dict[int, str]] = {
        "wave": {0: "samples"},
        "mel": {} if facts.padded else {2: "frames"},
        "features": {},
    }
    with _folder() as folder, warnings.catch_warnings(), torch.inference_mode():
        # the exporter by torch.export splits an LSTM of unknown length into steps and fails
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(torch.from_numpy(each) for each in (*example.values(), *voice)),
            folder / "traced.onnx",
            dynamo=False,
            input_names=[*example, *VOICE[: len(voice)]],
            output_names=[
                *([] if network.only_rates else ["logits", "probabilities"]),
                *["vector"] * bool(encoders),
                *["ratings"] * network.rates,
            ],
            dynamic_axes={str(facts.takes): free[facts.takes]},
            opset_version=OPSET,
        )
        return (folder / "traced.onnx").read_bytes()


def _voice(card: ModelCard) -> tuple[Float32s, ...]:
    """Mean and deviation of the average speaker, for models that describe speakers; else nothing."""
    if card.learned.voice is not None:
        known = card.learned.voice
        return np.array(known.center, np.float32), np.array(known.scale, np.float32)
    if card.learned.scaling is None or not speaker_wise(card):
        return ()
    columns = len(card.learned.scaling.names)
    return np.zeros(columns, np.float32), np.ones(columns, np.float32)


def _quantised(content: bytes, name: str) -> bytes:
    """The graph with 8-bit weights in its large layers; numbers that flow stay floats.

    Weights use 7 of the 8 bits: processors without VNNI add products of 8 bits in 16 and cut what
    runs over, which was measured to change one decision in thirty.

    Raises:
        SettingsError: there is no such layer, as in a linear classifier of features.
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
        made = onnx.load(target)
        if not any(each.data_type == onnx.TensorProto.INT8 for each in made.graph.initializer):
            raise SettingsError(f"{name}: has no LSTM or linear layer to store in 8 bits; leave --int8 out")
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
    if (
        facts.takes == "wave" and facts.card.learned.voice is not None
    ):  # usual values, which need not be given
        for name, values in zip(VOICE, _voice(facts.card), strict=True):
            graph.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
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
        "ratings": list(card.rated),
        "sample_rate": card.inputs.sample_rate,
        "inputs": card.inputs.model_dump(mode="json"),
        "temperature": card.temperature or 1.0,
        "synthetic": card.synthetic,
    }
    return {f"{GRAPH_KEY}.{name}": json.dumps(value) for name, value in plain.items()}


@lru_cache(maxsize=16)
def _sound(seconds: float, sample_rate: int) -> Float32s:
    """A gliding hum between silences, for tracing and for a first comparison."""
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    phase = 2 * np.pi * np.cumsum(140 + 50 * np.sin(2 * np.pi * 1.3 * t)) / sample_rate
    hum = sum(np.sin(number * phase) / number for number in range(1, 15))
    noise = np.random.default_rng(0).standard_normal(t.size)
    loud = np.clip(3 * np.sin(np.pi * t / seconds), 0.001, 1)
    return mixed(np.asarray(0.1 * loud * hum + 0.001 * noise, np.float32))
