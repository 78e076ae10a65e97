"""Weights of training clips: those that show their emotion more clearly count more."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ser_pipeline.datasets.soft import vote_cells

COLUMNS: Final = ("corpus", "intensity", "emotion_id", "votes", "rated_intensity")
"""Columns of the manifest that weights follow from."""

ACTED: Final[Mapping[str, float]] = MappingProxyType(
    {"low": -1.0, "normal": 0.0, "unspecified": 0.0, "high": 1.0}
)
"""What a clip's acted intensity says, on a scale from -1 to 1."""


def intensity_weights(table: pa.Table, *, strength: float) -> npt.NDArray[np.float32]:
    """Weigh clips by ``exp(strength * evidence)``, with a mean of 1 within each corpus.

    Evidence is the sum of what is known: the acted level (low -1, normal 0, high 1), the raters'
    mean intensity and the share of raters who heard the emotion that the clip stands for, both
    stretched from [0, 1] to [-1, 1]; what is not known counts 0. So a clip's weight rises with each
    of them. As every corpus keeps its total weight, none gains by having been rated.

    Args:
        table: columns :data:`COLUMNS` of the training clips.
        strength: 0 weighs all alike.

    Returns:
        Shape ``(clips,)``; the mean is 1.
    """
    acted = np.array([ACTED[level] for level in table["intensity"].to_pylist()])
    rated = np.asarray(table["rated_intensity"].to_numpy(zero_copy_only=False), np.float64)
    evidence = acted + _stretched(rated) + _stretched(intended_share(table))
    raw = np.exp(strength * evidence)
    names = np.asarray(table["corpus"].to_numpy(zero_copy_only=False), np.str_)
    _, corpus = np.unique(names, return_inverse=True)
    mean = np.bincount(corpus, raw) / np.bincount(corpus)
    weights: npt.NDArray[np.float32] = (raw / mean[corpus]).astype(np.float32)
    return weights


def intended_share(table: pa.Table) -> npt.NDArray[np.float64]:
    """Share of raters who heard each clip's own emotion, shape ``(clips,)``; NaN without votes."""
    clip, identity, count = vote_cells(table["votes"])
    own = identity == table["emotion_id"].to_numpy()[clip]
    total = np.bincount(clip, count, len(table))
    share = np.full(len(table), np.nan)
    np.divide(np.bincount(clip, count * own, len(table)), total, out=share, where=total > 0)
    return share


def _stretched(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From [0, 1] to [-1, 1]; 0 for what is not known."""
    return np.nan_to_num(2 * shares - 1, nan=0.0)
