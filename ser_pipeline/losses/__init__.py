"""Objectives, one per file.

Those of :data:`LOSSES` take logits ``(batch, classes)`` and class numbers ``(batch,)`` or
distributions ``(batch, classes)``; the others take embeddings or dimensional ratings.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from torch import Tensor

from ser_pipeline.errors import SettingsError
from ser_pipeline.losses.auxiliary import ccc_loss, supervised_contrastive
from ser_pipeline.losses.classification import CrossEntropy, DistanceCrossEntropy, ExpectedDistance, Focal

LOSSES: Final[Mapping[str, type[CrossEntropy]]] = MappingProxyType(
    {
        "ce": CrossEntropy,
        "distance_ce": DistanceCrossEntropy,
        "expected_distance": ExpectedDistance,
        "focal": Focal,
    }
)
"""Objectives by name, as in ``--loss NAME``."""

__all__ = [
    "LOSSES",
    "CrossEntropy",
    "DistanceCrossEntropy",
    "ExpectedDistance",
    "Focal",
    "build_loss",
    "ccc_loss",
    "supervised_contrastive",
]


def build_loss(
    name: str,
    emotions: Sequence[str],
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    distance_weight: float = 1.0,
    focal_gamma: float = 2.0,
) -> CrossEntropy:
    """Build an objective.

    Args:
        name: of the objective.
        emotions: class names in the order of the logits.
        class_weights: shape ``(len(emotions),)``; None weighs all alike.
        label_smoothing: share of the target spread over all classes.
        distance_weight: of the expected distance beside cross-entropy, for ``expected_distance``.
        focal_gamma: how fast sure clips lose their weight, for ``focal``.

    Raises:
        SettingsError: no such objective.
        LabelError: the objective needs a distance matrix and the emotions have none.
    """
    if name not in LOSSES:
        raise SettingsError(f"loss '{name}' does not exist; valid are {', '.join(LOSSES)}")
    own: Mapping[str, Any] = {
        "expected_distance": {"distance_weight": distance_weight},
        "focal": {"gamma": focal_gamma},
    }.get(name, {})
    return LOSSES[name](emotions, class_weights=class_weights, label_smoothing=label_smoothing, **own)
