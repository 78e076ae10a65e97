"""Networks, one architecture per file."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from torch import nn

from ser_pipeline.errors import SettingsError
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.models.mhsa import MHSA
from ser_pipeline.models.network import Network
from ser_pipeline.models.resnet import ResNet
from ser_pipeline.settings import ModelOptions

MODELS: Final[Mapping[str, type[Network]]] = MappingProxyType({"crnn": CRNN, "resnet": ResNet, "mhsa": MHSA})
"""Architectures by name, as in ``ser train NAME``."""

__all__ = ["CRNN", "MHSA", "MODELS", "Network", "ResNet", "build_model", "model_class", "parameter_count"]


def model_class(name: str) -> type[Network]:
    """Look an architecture up by name.

    Raises:
        SettingsError: no such architecture.
    """
    if name not in MODELS:
        raise SettingsError(f"model '{name}' does not exist; valid are {', '.join(MODELS)}")
    return MODELS[name]


def build_model(options: ModelOptions, n_mels: int, n_classes: int) -> Network:
    """Build a network with fresh weights from torch's own generator.

    Args:
        options: architecture and its options.
        n_mels: mel bands.
        n_classes: number of outputs.

    Raises:
        SettingsError: no such architecture.
    """
    return model_class(options.name).from_options(options, n_mels, n_classes)


def parameter_count(network: nn.Module) -> int:
    """Number of trainable numbers in a network."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
