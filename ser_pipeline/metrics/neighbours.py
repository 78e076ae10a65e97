"""What clips that lie near each other have in common."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s, Strings

NEAREST: Final = 5
"""Neighbours of a clip that are looked at."""


@dataclass(frozen=True)
class Nearness:
    """How often the nearest clips share something.

    Attributes:
        share: of the nearest clips that share it, over all clips.
        chance: what the same clips would share if neighbours were drawn at random.
        clips: that have a neighbour.
    """

    share: float
    chance: float
    clips: int


def nearness(vectors: Float32s, names: Strings, apart: Strings | None = None) -> Nearness | None:
    """Look at the nearest clips of each clip.

    Args:
        vectors: shape ``(clips, d)``; each column is standardised first.
        names: what may be shared, shape ``(clips,)``.
        apart: neighbours must differ in this, as in their speaker; None takes any other clip.

    Returns:
        None where no clip has :data:`NEAREST` neighbours.

    Examples:
        >>> found = nearness(np.eye(6, dtype=np.float32), np.array(["a"] * 6))
        >>> found.share, found.chance, found.clips
        (1.0, 1.0, 6)
    """
    values = vectors.astype(np.float64) - vectors.mean(0)
    deviation = values.std(0)
    values /= np.where(deviation > 0, deviation, 1)
    squares = (values**2).sum(1)
    distances = squares[:, None] + squares[None] - 2 * values @ values.T
    barred = np.eye(len(values), dtype=bool) if apart is None else apart[:, None] == apart[None]
    distances[barred] = np.inf
    allowed = ~barred
    usable = allowed.sum(1) >= NEAREST
    if not usable.any():
        return None
    same = names[:, None] == names[None]
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEAREST]
    near = np.take_along_axis(same, order, axis=1)[usable].mean()
    chance = ((same & allowed).sum(1)[usable] / allowed.sum(1)[usable]).mean()
    return Nearness(float(near), float(chance), int(usable.sum()))
