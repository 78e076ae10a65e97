"""Normalisation of feature vectors: what is learned of it, and from which clips alone.

Three modes, one last step. ``none`` takes the vectors as they are, ``relative`` first relates each
clip to itself (:mod:`ser_pipeline.features.relative`), ``speaker`` first centres and scales each
speaker's clips by their own mean and deviation. The last step standardises every column by its
mean and deviation over *training* clips; no other clip ever has a say in it.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.errors import RunError
from ser_pipeline.settings import Normalise, Options

Floats = npt.NDArray[np.floating]
Float32s = npt.NDArray[np.float32]

WIDEST: Final = 10.0
"""Standardised values are cut here: a column that hardly moved in training must not drown all others."""

_CONSTANT = 1e-6
"""A column whose deviation is below this share of its magnitude does not move."""


class Scaling(Options):
    """What standardising needs to know, learned from training clips.

    Attributes:
        mode: what was done to the vectors before.
        names: of the columns.
        center: mean of each column.
        scale: deviation of each column; 0 for one that does not move, which becomes 0 for every clip.
    """

    mode: Normalise
    names: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]

    def apply(self, values: Floats) -> Float32s:
        """Standardise vectors of the mode's first step.

        Args:
            values: shape ``(clips, features)``.

        Returns:
            Shape ``(clips, features)``, within [-10, 10].

        Raises:
            RunError: another number of columns than was learned from.
        """
        if values.shape[1] != len(self.names):
            raise RunError(f"found {values.shape[1]} features, the model was trained on {len(self.names)}")
        scaled = (values - np.array(self.center)) * inverse(np.array(self.scale))
        cut: Float32s = np.clip(scaled, -WIDEST, WIDEST).astype(np.float32)
        return cut


def learn_scaling(values: Floats, names: tuple[str, ...], mode: Normalise) -> Scaling:
    """Measure the columns of training clips, after the mode's first step.

    Args:
        values: shape ``(clips, features)``.
        names: of the columns.
        mode: what was done to the values.

    Examples:
        >>> learned = learn_scaling(np.array([[1.0, 5.0], [3.0, 5.0]]), ("a", "b"), "none")
        >>> learned.apply(np.array([[4.0, 7.0]]))
        array([[2., 0.]], dtype=float32)
    """
    center, scale = moments(values)
    return Scaling(mode=mode, names=names, center=tuple(center.tolist()), scale=tuple(scale.tolist()))


def moments(values: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and deviation of each column, shape ``(features,)`` each; 0 for a column that does not move."""
    wide = values.astype(np.float64)
    center, scale = wide.mean(axis=0), wide.std(axis=0)
    still = scale <= _CONSTANT * np.maximum(np.abs(wide).max(axis=0, initial=0.0), 1e-12)
    return center, np.where(still, 0.0, scale)


def inverse(scale: Floats) -> npt.NDArray[np.float64]:
    """``1 / scale``, 0 where the scale is 0.

    Examples:
        >>> inverse(np.array([2.0, 0.0]))
        array([0.5, 0. ])
    """
    wide = np.asarray(scale, np.float64)
    return np.divide(1.0, wide, out=np.zeros_like(wide), where=wide > 0)


def first_step(values: Float32s, names: tuple[str, ...], mode: Normalise) -> Floats:
    """What a mode does to each clip by itself; ``speaker`` needs the speaker's other clips as well.

    Args:
        values: shape ``(clips, features)``.
        names: of the columns.
        mode: of the normalisation.
    """
    if mode != "relative":
        return values
    from ser_pipeline.features.relative import relative  # loads a fifth of a second that mels do without

    return relative(values, names)
