"""Graphs made by ``ser export``: what their metadata holds, and loading them for prediction."""

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.serving.scorer import OnnxScorer
from ser_pipeline.settings import FrontEnd, Options
from ser_pipeline.training.card import ModelCard

GRAPH_KEY: Final = "ser"
"""Key of a graph's ``metadata_props`` under which everything stands as JSON."""

INPUTS: Final = ("mel", "features", "wave")
"""Names of what a graph can take: unpadded mels, normalised features, or samples."""


class GraphFacts(Options):
    """What a graph says of itself.

    Attributes:
        schema_version: of these facts.
        program: name and version of what made it.
        takes: name of its input.
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
    return facts.card, OnnxScorer(session, padded=facts.padded)


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
