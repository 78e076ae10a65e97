"""A trained model as two files: weights as safetensors, everything else as JSON.

``model.json`` holds all that predicting on raw audio needs: architecture, class names, settings of
the inputs, what was learned of them. What scikit-learn fitted is kept as plain numbers, too. Nothing
here is a pickle.
"""

from pathlib import Path

import safetensors
import safetensors.torch

from ser_pipeline.atomic import write_atomically
from ser_pipeline.encoders import encoder_folders, found_again
from ser_pipeline.errors import RunError
from ser_pipeline.models.build import build_model
from ser_pipeline.models.network import Network
from ser_pipeline.runs.card import (
    ModelCard,
    check_inputs_version,
    content_digest,
    read_card,
    read_weights,
    write_card,
)
from ser_pipeline.runs.types import CARD, WEIGHTS

_MISFITS = (RuntimeError, ValueError, KeyError, TypeError, IndexError, safetensors.SafetensorError)
"""What is raised for a file that is cut, foreign, or of other types and shapes."""


def save_model(folder: Path, network: Network, card: ModelCard) -> None:
    """Write model and card, each whole or not at all.

    Args:
        folder: of the run.
        network: its weights are written as fp32 tensors of the CPU.
        card: its ``weights_digest`` is filled in.

    Raises:
        SerError: the folder cannot be written to.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.fitted_state().items()}
    content = bytes(safetensors.torch.save(tensors))
    with write_atomically(folder / WEIGHTS) as part:
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
        reason = str(error).strip().rpartition("\n")[2].strip().removesuffix(".")
        raise RunError(f"{folder / WEIGHTS}: does not fit {CARD}: {reason}; train it again") from None
    return network.eval(), card


def _network(content: bytes, card: ModelCard) -> Network:
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
