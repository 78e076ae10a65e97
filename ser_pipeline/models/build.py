"""A network by the name of its architecture."""

from functools import cache

from torch import nn

from ser_pipeline.errors import SettingsError
from ser_pipeline.models.network import EmbeddingNetwork, MelNetwork, Network
from ser_pipeline.options import MODELS, BuiltFor, ModelOptions
from ser_pipeline.options.registry import class_at


@cache
def model_class(name: str) -> type[Network]:
    """Look an architecture up by name, and load its file.

    Examples:
        >>> model_class("crnn").__name__
        'CRNN'
    """
    found: type[Network] = class_at("ser_pipeline.models", MODELS[name].place)
    return found


def build_model(
    options: ModelOptions, n_inputs: BuiltFor, n_outputs: int, *, n_beside: int = 0, rates: bool = False
) -> Network:
    """Build a network with fresh weights from torch's own generator.

    Args:
        options: architecture and its options.
        n_inputs: what it is built for.
        n_outputs: number of classes, or of the dimensions that are rated instead.
        n_beside: columns of vectors beside the inputs; 0 for none.
        rates: its outputs are ratings.

    Raises:
        SettingsError: a model that takes no vectors beside its inputs.
    """
    network = model_class(options.name).from_options(options, n_inputs, n_outputs)
    if n_beside:
        if not isinstance(network, MelNetwork) or not options.architecture.beside:
            raise SettingsError(f"model '{options.name}' takes no vectors beside its inputs")
        network.add_vectors(n_beside, options.dropout)
    network.only_rates = rates
    if isinstance(network, EmbeddingNetwork) and options.dimensions and not rates:
        network.add_dimensions(options.dropout)
    return network


def parameter_count(network: nn.Module) -> int:
    """Number of trainable numbers in a network, or of fitted ones in a classifier."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
