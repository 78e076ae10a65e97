"""A trained model as two files: weights as safetensors, everything else as JSON.

``model.json`` holds all that predicting on raw audio needs: architecture, class names, settings of
the inputs, what was learned of them. A scikit-learn classifier is kept as ``model.skops`` instead
of weights, which only ever loads a fixed list of types. Nothing here is a pickle.
"""

import zipfile
from pathlib import Path

import safetensors
import safetensors.torch

from ser_pipeline.atomic import write_atomically
from ser_pipeline.encoders import encoder_folders, found_again
from ser_pipeline.errors import RunError
from ser_pipeline.models import EstimatorNetwork, Network, build_model, model_class
from ser_pipeline.models.estimators import TRUSTED
from ser_pipeline.runs.card import (
    ModelCard,
    check_inputs_version,
    content_digest,
    read_card,
    read_weights,
    weights_path,
    write_card,
)
from ser_pipeline.runs.types import CARD

_CLASSIFIER, _RATERS = "classifier", "raters"
"""What a file holds of a classifier that rates clips as well; of others it is the classifier alone."""

_MISFITS = (RuntimeError, ValueError, KeyError, TypeError, safetensors.SafetensorError, zipfile.BadZipFile)
"""What the two libraries raise for a file that is cut, foreign, or of other types and shapes."""


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
    write_card(folder, card.model_copy(update={"weights_digest": content_digest(content)}))


def load_model(folder: Path) -> tuple[Network, ModelCard]:
    """Read a model, ready to score.

    Returns:
        The network on the CPU, in evaluation mode, and its card.

    Raises:
        RunError: a file is missing, damaged, or the two do not belong together; its inputs are no longer made
            as they were in training; or it is an ensemble.
    """
    card = read_card(folder)
    if card.members:
        names = ", ".join(member.name for member in card.members)
        raise RunError(f"{folder}: an ensemble has no network of its own; name one of its members, {names}")
    check_inputs_version(card, folder / CARD)
    try:
        network = _network(read_weights(folder, card), card)
    except _MISFITS as error:
        path, reason = weights_path(folder, card), str(error).partition("\n")[0]
        raise RunError(f"{path}: does not fit {CARD}: {reason}; train it again") from None
    return network.eval(), card


def _content(network: Network) -> bytes:
    if isinstance(network, EstimatorNetwork):
        import skops.io

        fitted = network.estimator
        if network.raters:
            fitted = {_CLASSIFIER: fitted, _RATERS: [*network.raters]}  # no classifier where it only rates
        content: bytes = skops.io.dumps(fitted)
        return content
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.fitted_state().items()}
    return bytes(safetensors.torch.save(tensors))


def _network(content: bytes, card: ModelCard) -> Network:
    if model_class(card.model.name) is EstimatorNetwork:
        import skops.io

        fitted = skops.io.loads(content, trusted=list(TRUSTED))
        known = isinstance(fitted, dict) and {*fitted} == {_CLASSIFIER, _RATERS}
        both = fitted if known else {_CLASSIFIER: fitted, _RATERS: []}
        features = len(card.learned.scaling.names) if card.learned.scaling else 0
        found = EstimatorNetwork(both[_CLASSIFIER], len(card.emotions), both[_RATERS])
        if any(getattr(each, "n_features_in_", None) != features for each in found.fitted):
            raise ValueError(f"its classifier does not take the {features} features the card names")
        lacking = bool(card.target or found.raters) and len(found.raters) != len(card.rated)
        if lacking or (found.estimator is None) != bool(card.target):
            raise ValueError(f"it does not predict {', '.join((*card.emotions, *card.rated))}")
        return found
    if card.model.architecture.inputs == "waves":  # the encoder is a part of the network
        card = card.model_copy(update={"inputs": found_again(card.inputs, encoder_folders())})
    network = build_model(
        card.model,
        card.n_inputs,
        len(card.emotions or card.target),
        n_beside=card.n_beside,
        rates=bool(card.target),
    )
    network.load_fitted(safetensors.torch.load(content))
    return network
