"""A trained network as two files: weights as safetensors, everything else as JSON.

``model.json`` holds all that predicting on raw audio needs: architecture, class names, the
front end's settings, the corpora's gains. Nothing here is a pickle.
"""

import hashlib
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from pydantic import Field
from torch import nn

from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import RunError
from ser_pipeline.models import CRNN, build_model
from ser_pipeline.results import read_result
from ser_pipeline.settings import FrontEnd, ModelOptions, Options

WEIGHTS = "model.safetensors"
CARD = "model.json"
MODEL_SCHEMA = 1


class ModelCard(Options):
    """``model.json``: what a network is and how to feed it.

    Attributes:
        model: architecture and its options.
        emotions: class names in the order of the outputs.
        merges: emotion -> emotion it counts as.
        front_end: settings of the mels it was trained on.
        gains_db: corpus -> gain at level ``corpus_rms``, ``*`` for other corpora; else empty.
        store_fingerprint: of the store it was trained on.
        synthetic: some of the training recordings were synthesised.
        epoch: the epoch whose weights these are, counted from 1.
        calibration: of its probabilities; None where none was made.
        weights_digest: BLAKE2b of the weights file.
    """

    schema_version: int = MODEL_SCHEMA
    model: ModelOptions
    emotions: tuple[str, ...]
    merges: dict[str, str] = Field(default_factory=dict)
    front_end: FrontEnd
    gains_db: dict[str, float] = Field(default_factory=dict)
    store_fingerprint: str
    synthetic: bool
    epoch: int
    calibration: dict[str, Any] | None = None
    weights_digest: str = ""


def save_model(folder: Path, network: nn.Module, card: ModelCard) -> None:
    """Write weights and card, each whole or not at all.

    Args:
        folder: of the run.
        network: its weights are written as fp32 tensors of the CPU.
        card: its ``weights_digest`` is filled in.

    Raises:
        SerError: the folder cannot be written to.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = safetensors.torch.save(tensors)
    with write_atomically(folder / WEIGHTS) as part:
        part.write_bytes(content)
    complete = card.model_copy(update={"weights_digest": _digest(content)})
    with write_atomically(folder / CARD) as part:
        part.write_text(complete.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> tuple[CRNN, ModelCard]:
    """Read a network, ready to score.

    Returns:
        The network on the CPU, in evaluation mode, and its card.

    Raises:
        RunError: a file is missing, damaged, or the two do not belong together.
    """
    card = read_result(ModelCard, folder / CARD)
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: not found; the run has no trained network, train it again") from None
    if _digest(content) != card.weights_digest:
        raise RunError(f"{path}: is not the file that {CARD} was written for; train it again")
    network = build_model(card.model, card.front_end.n_mels, len(card.emotions))
    try:
        network.load_state_dict(safetensors.torch.load(content))
    except (RuntimeError, safetensors.SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path}: does not fit {CARD}: {reason}; train it again") from None
    return network.eval(), card


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
