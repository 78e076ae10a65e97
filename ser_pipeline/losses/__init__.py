"""Objectives, one per file; all take logits ``(batch, classes)`` and class numbers ``(batch,)``."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from torch import Tensor

from ser_pipeline.errors import SettingsError
from ser_pipeline.losses.ce import CrossEntropy
from ser_pipeline.losses.distance_ce import DistanceCrossEntropy

LOSSES: Final[Mapping[str, type[CrossEntropy]]] = MappingProxyType(
    {"ce": CrossEntropy, "distance_ce": DistanceCrossEntropy}
)
"""Objectives by name, as in ``--loss NAME``."""

__all__ = ["LOSSES", "CrossEntropy", "DistanceCrossEntropy", "build_loss"]


def build_loss(
    name: str, emotions: Sequence[str], *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> CrossEntropy:
    """Build an objective.

    Args:
        name: of the objective.
        emotions: class names in the order of the logits.
        class_weights: shape ``(len(emotions),)``; None weighs all alike.
        label_smoothing: share of the target spread over all classes.

    Raises:
        SettingsError: no such objective.
        LabelError: the objective needs a distance matrix and the emotions have none.
    """
    if name not in LOSSES:
        raise SettingsError(f"loss '{name}' does not exist; valid are {', '.join(LOSSES)}")
    return LOSSES[name](emotions, class_weights=class_weights, label_smoothing=label_smoothing)
