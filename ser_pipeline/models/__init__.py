"""Models, one architecture per file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from torch import nn

from ser_pipeline.errors import SettingsError
from ser_pipeline.models.cnn1d import CNN1D
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.models.dnn import DNN
from ser_pipeline.models.estimators import EstimatorNetwork, fitted_numbers
from ser_pipeline.models.mhsa import MHSA
from ser_pipeline.models.network import EmbeddingNetwork, Network, one_clip
from ser_pipeline.models.resnet import ResNet
from ser_pipeline.options import ModelOptions

MODELS: Final[Mapping[str, type[Network]]] = MappingProxyType(
    {
        "crnn": CRNN,
        "resnet": ResNet,
        "mhsa": MHSA,
        "cnn1d": CNN1D,
        "dnn": DNN,
        "svm": EstimatorNetwork,
        "logreg": EstimatorNetwork,
        "gboost": EstimatorNetwork,
    }
)
"""Architectures by name, as in ``ser train NAME``."""

__all__ = [
    "CNN1D",
    "CRNN",
    "DNN",
    "MHSA",
    "MODELS",
    "EmbeddingNetwork",
    "EstimatorNetwork",
    "Network",
    "ResNet",
    "build_model",
    "model_class",
    "one_clip",
    "parameter_count",
]


def model_class(name: str) -> type[Network]:
    """Look an architecture up by name.

    Raises:
        SettingsError: no such architecture.
    """
    if name not in MODELS:
        raise SettingsError(f"model '{name}' does not exist; valid are {', '.join(MODELS)}")
    return MODELS[name]


def build_model(options: ModelOptions, n_inputs: int, n_classes: int) -> Network:
    """Build a network with fresh weights from torch's own generator.

    Args:
        options: architecture and its options.
        n_inputs: mel bands, or features.
        n_classes: number of outputs.

    Raises:
        SettingsError: no such architecture, or a classifier with dimensions.
    """
    network = model_class(options.name).from_options(options, n_inputs, n_classes)
    if options.dimensions:
        if not isinstance(network, EmbeddingNetwork):
            raise SettingsError(f"model '{options.name}' cannot have dimensions; only networks can")
        network.add_dimensions(options.dropout)
    return network


def parameter_count(network: nn.Module) -> int:
    """Number of trainable numbers in a network, or of fitted ones in a classifier."""
    if isinstance(network, EstimatorNetwork):
        return fitted_numbers(network.estimator)
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
