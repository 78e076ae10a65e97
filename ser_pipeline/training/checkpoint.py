"""A trained model as two files: weights as safetensors, everything else as JSON.

``model.json`` holds all that predicting on raw audio needs: architecture, class names, settings of
the inputs, what was learned of them. A scikit-learn classifier is kept as ``model.skops`` instead
of weights, which only ever loads a fixed list of types. Nothing here is a pickle.
"""

import hashlib
import zipfile
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
from pydantic import Field, model_validator

from ser_pipeline.atomic import write_atomically
from ser_pipeline.datasets.learned import Learned
from ser_pipeline.errors import RunError
from ser_pipeline.models import EstimatorNetwork, Network, build_model, model_class
from ser_pipeline.models.estimators import TRUSTED
from ser_pipeline.results import read_result
from ser_pipeline.settings import FrontEnd, ModelOptions, Options, StoreOptions
from ser_pipeline.settings.options import Positive, Share

WEIGHTS = "model.safetensors"
CLASSIFIER = "model.skops"
CARD = "model.json"
_MISFITS = (RuntimeError, ValueError, KeyError, TypeError, safetensors.SafetensorError, zipfile.BadZipFile)
"""What the two libraries raise for a file that is cut, foreign, or of other types and shapes."""


class ModelCard(Options):
    """``model.json``: what a network is and how to feed it.

    Attributes:
        model: architecture and its options.
        emotions: class names in the order of the outputs.
        merges: emotion -> emotion it counts as.
        inputs: settings of the mels or features it was trained on.
        learned: what reading them takes from the training clips: gains, or scales.
        store_fingerprint: of the store it was trained on.
        synthetic: some of the training recordings were synthesised.
        epoch: the epoch whose weights these are, counted from 1.
        temperature: state probabilities as ``softmax(logits / temperature)``; fitted on validation clips
            when the run is scored, None before that or without such clips: 1 then.
        abstain_below: confidence below which the model had better not answer; None where none is known.
        weights_digest: BLAKE2b of the weights file.
    """

    schema_version: Literal[2] = 2
    model: ModelOptions
    emotions: tuple[str, ...]
    merges: dict[str, str] = Field(default_factory=dict)
    inputs: StoreOptions
    learned: Learned = Learned()
    store_fingerprint: str
    synthetic: bool
    epoch: int
    temperature: Positive | None = None
    abstain_below: Share | None = None
    weights_digest: str = ""

    @model_validator(mode="before")
    @classmethod
    def _without_calibration(cls, values: Any) -> Any:
        """Read cards of before there was a temperature: they held an empty ``calibration``."""
        if isinstance(values, dict) and values.get("calibration", ...) is None:
            return {name: value for name, value in values.items() if name != "calibration"}
        return values

    @property
    def n_inputs(self) -> int:
        """Mel bands, or features."""
        if isinstance(self.inputs, FrontEnd):
            return self.inputs.n_mels
        return len(self.learned.scaling.names) if self.learned.scaling else 0


def save_model(folder: Path, network: Network, card: ModelCard) -> None:
    """Write model and card, each whole or not at all.

    Args:
        folder: of the run.
        network: its weights are written as fp32 tensors of the CPU.
        card: its ``weights_digest`` is filled in.

    Raises:
        SerError: the folder cannot be written to.
    """
    content = _content(network)
    with write_atomically(weights_path(folder, card)) as part:
        part.write_bytes(content)
    write_card(folder, card.model_copy(update={"weights_digest": _digest(content)}))


def write_card(folder: Path, card: ModelCard) -> None:
    """Write ``model.json`` alone, beside weights that stay as they are.

    Raises:
        SerError: the folder cannot be written to.
    """
    with write_atomically(folder / CARD) as part:
        part.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_model(folder: Path) -> tuple[Network, ModelCard]:
    """Read a model, ready to score.

    Returns:
        The network on the CPU, in evaluation mode, and its card.

    Raises:
        RunError: a file is missing, damaged, or the two do not belong together.
    """
    card = read_result(ModelCard, folder / CARD)
    path = weights_path(folder, card)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunError(f"{path}: not found; the run has no trained network, train it again") from None
    if _digest(content) != card.weights_digest:
        raise RunError(f"{path}: is not the file that {CARD} was written for; train it again")
    try:
        network = _network(content, card)
    except _MISFITS as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path}: does not fit {CARD}: {reason}; train it again") from None
    return network.eval(), card


def weights_path(folder: Path, card: ModelCard) -> Path:
    """File that holds what was fitted."""
    return folder / (CLASSIFIER if model_class(card.model.name) is EstimatorNetwork else WEIGHTS)


def _content(network: Network) -> bytes:
    if isinstance(network, EstimatorNetwork):
        import skops.io

        content: bytes = skops.io.dumps(network.estimator)
        return content
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return bytes(safetensors.torch.save(tensors))


def _network(content: bytes, card: ModelCard) -> Network:
    if model_class(card.model.name) is EstimatorNetwork:
        import skops.io

        estimator = skops.io.loads(content, trusted=list(TRUSTED))
        features = len(card.learned.scaling.names) if card.learned.scaling else 0
        if getattr(estimator, "n_features_in_", None) != features:
            raise ValueError(f"its classifier does not take the {features} features the card names")
        return EstimatorNetwork(estimator, len(card.emotions))
    network = build_model(card.model, card.n_inputs, len(card.emotions))
    network.load_state_dict(safetensors.torch.load(content))
    return network


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
