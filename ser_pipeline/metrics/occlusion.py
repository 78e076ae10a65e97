"""Which patches of a spectrogram a decision rests on: each of them is taken away in turn."""

from collections.abc import Callable
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s, Floats

BANDS: Final = 12
"""Mel bands of a patch."""

FRAMES: Final = 8
"""Frames of a patch: one step of the networks on mels."""

AT_ONCE: Final = 32
"""Spectrograms in one call of the model."""

Score = Callable[[Float32s], Floats]
"""From spectrograms ``(clips, bands, frames)`` to the score of one class for each, shape ``(clips,)``."""


def occlusion(mel: Float32s, score: Score, *, bands: int = BANDS, frames: int = FRAMES) -> Float32s:
    """How far the score of a class falls when a patch is held at the clip's mean.

    Args:
        mel: spectrogram without padding, shape ``(bands, frames)``.
        score: the model, for one class.
        bands: height of a patch.
        frames: width of a patch.

    Returns:
        One number for each patch, low bands first, shape ``(rows, columns)``, in units of the score. What is
        above zero spoke for the class, what is below spoke against it. The last row and column may be smaller
        patches than the others.

    References:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.2.

    Examples:
        >>> mel = np.zeros((4, 6), np.float32)
        >>> mel[2:, 2:4] = 1
        >>> occlusion(mel, lambda some: some[:, 2:, 2:4].mean((1, 2)), bands=2, frames=2).round(2)
        array([[0.  , 0.  , 0.  ],
               [0.  , 0.83, 0.  ]], dtype=float32)
    """
    shape = tuple(-(-size // step) for size, step in zip(mel.shape, (bands, frames), strict=True))
    usual, mean, found = float(score(mel[None])[0]), mel.mean(), list[Float64s]()
    patches = list(np.ndindex(*shape))
    for first in range(0, len(patches), AT_ONCE):
        some = patches[first : first + AT_ONCE]
        without = np.repeat(mel[None], len(some), 0)
        for each, (row, column) in zip(without, some, strict=True):
            each[row * bands : (row + 1) * bands, column * frames : (column + 1) * frames] = mean
        found.append(usual - np.asarray(score(without), np.float64))
    return np.concatenate(found).reshape(shape).astype(np.float32)


def log_odds(logits: Floats, label: int) -> Float64s:
    """How much likelier a class is than all others together, as a logarithm.

    Args:
        logits: class scores before the softmax, shape ``(clips, classes)``, two classes at least.
        label: of the class.

    Returns:
        Natural logarithms, shape ``(clips,)``.

    Examples:
        >>> log_odds(np.log([[0.5, 0.25, 0.25]]), 0).round(6) + 0.0
        array([0.])
    """
    others = np.delete(np.asarray(logits, np.float64), label, axis=1)
    return np.asarray(np.asarray(logits, np.float64)[:, label] - np.logaddexp.reduce(others, axis=1))
