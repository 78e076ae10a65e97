"""Models and losses by name: what each declares of itself, and where its class is. Knows no torch.

A new model is its file in ``models/`` and one line here; the same holds for a new loss, in ``losses/``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Literal

_NETWORK: Final = ("masked", "own_scale", "attention", "dropout")

_HAVE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "mels": frozenset({"mels"}),
        "features": frozenset({"features", "embeddings", "pooled", "vectors"}),
        "frames": frozenset({"embeddings"}),
        "runs": frozenset(),
        "waves": frozenset({"embeddings", "waves"}),
    }
)
"""What a model has that options may need, by what it learns from."""

_BESIDE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "mels": frozenset({"features", "embeddings", "pooled", "vectors"}),
        "frames": frozenset({"features", "vectors"}),
    }
)
"""What it gains if it learns from vectors beside its sequence."""

VECTORS: Final = ("features", "embeddings")
"""Names of vectors that a model learns from, alone or beside a sequence."""

SEQUENCES: Final = tuple(_BESIDE)
"""Names of sequences that vectors may stand beside."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a model declares.

    Attributes:
        place: module and class in ``ser_pipeline.models``, as ``crnn.CRNN``.
        inputs: what it learns from; a model of features can learn from embeddings as well. Frames are the
            steps of an encoder's layers, waves the samples that an encoder hears, and an ensemble learns from
            what other runs say.
        options: fields of :class:`~ser_pipeline.options.training.ModelOptions` that it reads; a network takes
            them as keywords of the same names.
        by_epochs: fitted over epochs, as networks are; scikit-learn's classifiers are fitted at once.
        frames_per_step: mel frames behind one step of a network, and the fewest that it can look at without
            its mask; 0 for models without steps.
    """

    place: str
    inputs: Literal["mels", "features", "frames", "waves", "runs"]
    options: tuple[str, ...]
    by_epochs: bool = True
    frames_per_step: int = 0

    @property
    def has(self) -> frozenset[str]:
        """What options may need of a model."""
        inputs = _HAVE[self.inputs]
        return frozenset(inputs | {"epochs"} if self.by_epochs else inputs)

    @property
    def beside(self) -> frozenset[str]:
        """What options may need of it in addition where it learns from vectors beside its sequence."""
        return _BESIDE.get(self.inputs, frozenset())

    def learning(self, on: Collection[str]) -> frozenset[str]:
        """What options may need of it where it learns from these inputs.

        Args:
            on: names of vectors, and of the sequence that they stand beside.

        Examples:
            >>> sorted(MODELS["crnn"].learning(("mels", "features")))
            ['epochs', 'features', 'mels', 'pooled', 'vectors']
            >>> sorted(MODELS["crnn"].learning(("features",)))
            ['epochs', 'mels']
        """
        others = {*VECTORS} - {*on}
        if self.inputs == "features":
            return self.has - others
        return self.has | (self.beside - others) if self.inputs in on and len(others) < 2 else self.has


_CLASSIFIER: Final = Architecture("fitted.EstimatorNetwork", "features", ("c",), by_epochs=False)

MODELS: Final[Mapping[str, Architecture]] = MappingProxyType(
    {
        "crnn": Architecture("crnn.CRNN", "mels", (*_NETWORK, "pooling", "bidirectional"), frames_per_step=8),
        "resnet": Architecture("resnet.ResNet", "mels", _NETWORK, frames_per_step=8),
        "mhsa": Architecture("mhsa.MHSA", "mels", _NETWORK, frames_per_step=8),
        "cnn1d": Architecture("cnn1d.CNN1D", "features", ("dropout",)),
        "dnn": Architecture("dnn.DNN", "features", ("dropout",)),
        "probe": Architecture("probe.Probe", "frames", ("attention", "dropout"), frames_per_step=1),
        "finetune": Architecture(
            "finetune.FineTuned", "waves", ("attention", "dropout", "unfreeze", "lora", "checkpointing")
        ),
        "svm": _CLASSIFIER,
        "logreg": _CLASSIFIER,
        "gboost": _CLASSIFIER,
    }
)
"""Models by name, as in ``ser train NAME``."""

ENSEMBLE: Final = "ensemble"
"""Name of what is made of finished runs."""

ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType(
    {**MODELS, ENSEMBLE: Architecture("", "runs", (), by_epochs=False)}
)
"""What a run can be of: the models, and ensembles of runs."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What a loss declares.

    Attributes:
        place: module and class in ``ser_pipeline.losses``, as ``classification.Focal``.
        options: fields of :class:`~ser_pipeline.options.training.TrainOptions` that it reads beside those of
            every loss; it takes them as keywords of the same names.
    """

    place: str
    options: tuple[str, ...] = ()


LOSSES: Final[Mapping[str, Objective]] = MappingProxyType(
    {
        "ce": Objective("classification.CrossEntropy"),
        "distance_ce": Objective("classification.DistanceCrossEntropy"),
        "expected_distance": Objective("classification.ExpectedDistance", ("distance_weight",)),
        "focal": Objective("classification.Focal", ("focal_gamma",)),
    }
)
"""Objectives by name, as in ``--loss NAME``."""


def class_at(room: str, place: str) -> Any:
    """The class that an entry of a registry names; its file is loaded now.

    Args:
        room: package that holds the files.
        place: file and class, as ``crnn.CRNN``.
    """
    module, _, kind = place.partition(".")
    return getattr(import_module(f"{room}.{module}"), kind)
