"""Objectives; ``options/registry.py`` names those that ``--loss`` takes.

They take logits ``(batch, classes)`` and class numbers ``(batch,)`` or distributions ``(batch, classes)``;
those beside them take embeddings or dimensional ratings.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from torch import Tensor

from ser_pipeline.losses.auxiliary import ccc_loss, cosine_distance, mse_loss, supervised_contrastive
from ser_pipeline.losses.classification import CrossEntropy
from ser_pipeline.options import LOSSES
from ser_pipeline.options.registry import class_at

__all__ = [
    "RATING_LOSSES",
    "CrossEntropy",
    "build_loss",
    "ccc_loss",
    "cosine_distance",
    "loss_class",
    "mse_loss",
    "supervised_contrastive",
]


RATING_LOSSES: Final[Mapping[str, Callable[[Tensor, Tensor], Tensor]]] = MappingProxyType(
    {"ccc": ccc_loss, "mse": mse_loss}
)
"""Losses of ratings by name, as in ``--rating-loss NAME``."""


def loss_class(name: str) -> type[CrossEntropy]:
    """Look an objective up by name, and load its file.

    Examples:
        >>> loss_class("focal").__name__
        'Focal'
    """
    found: type[CrossEntropy] = class_at("ser_pipeline.losses", LOSSES[name].place)
    return found


def build_loss(
    name: str,
    emotions: Sequence[str],
    *,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    **declared: float,
) -> CrossEntropy:
    """Build an objective.

    Args:
        name: of the objective.
        emotions: class names in the order of the logits.
        class_weights: shape ``(len(emotions),)``; None weighs all alike.
        label_smoothing: share of the target spread over all classes.
        **declared: options that the objective declares in :data:`~ser_pipeline.options.LOSSES`.

    Raises:
        LabelError: the objective needs a distance matrix and the emotions have none.
    """
    return loss_class(name)(
        emotions, class_weights=class_weights, label_smoothing=label_smoothing, **declared
    )
