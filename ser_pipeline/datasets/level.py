"""Loudness of whole corpora: one gain each, so that clips keep their level beside each other.

The store keeps mels at the recorded level (``level none``) and each clip's level in dB. Level
``corpus_rms`` moves all clips of a corpus by the same number of dB. On a fixed dB scale that is
an addition, so it is done when a batch is read and needs no store of its own.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.settings import FrontEnd

OTHER_CORPORA: Final = "*"
"""Key of the gain for recordings of a corpus that training did not have."""


def corpus_gains(levels_db: npt.ArrayLike, corpora: npt.ArrayLike, target_rms: float) -> dict[str, float]:
    """Gain that brings each corpus's RMS, over training clips, to the target.

    Args:
        levels_db: RMS of each training clip in dB of full scale, shape ``(clips,)``.
        corpora: corpus of each clip, shape ``(clips,)``.
        target_rms: of full scale.

    Returns:
        Corpus -> gain in dB; :data:`OTHER_CORPORA` -> the mean of them, for any other.

    Examples:
        >>> gains = corpus_gains([-20.0, -20.0, -30.0], ["a", "a", "b"], target_rms=0.1)
        >>> {name: round(gain, 6) for name, gain in gains.items()}
        {'a': 0.0, 'b': 10.0, '*': 5.0}
    """
    power = 10 ** (np.asarray(levels_db, np.float64) / 10)
    names = np.asarray(corpora, np.str_)
    target_db = 20 * np.log10(target_rms)
    gains = {
        str(name): float(target_db - 10 * np.log10(power[names == name].mean())) for name in np.unique(names)
    }
    return {**gains, OTHER_CORPORA: float(np.mean([*gains.values()]))}


def shifts(
    gains_db: Mapping[str, float], corpora: npt.ArrayLike, front_end: FrontEnd
) -> npt.NDArray[np.float32]:
    """What to add to each clip's mels, shape ``(clips,)``; 0 for all without gains.

    Examples:
        >>> shifts({"a": 6.0, "*": 0.0}, ["a", "b"], FrontEnd())
        array([0.1, 0. ], dtype=float32)
    """
    names = np.asarray(corpora, np.str_).tolist()
    if not gains_db:
        return np.zeros(len(names), np.float32)
    scale = 2 / (front_end.ceiling_db - front_end.floor_db)
    other = gains_db[OTHER_CORPORA]
    return np.array([gains_db.get(name, other) * scale for name in names], np.float32)


def shift_levels(
    mels: npt.NDArray[np.float32],
    frames: npt.NDArray[np.int64],
    shift: npt.NDArray[np.float32],
    floor: float = -1.0,
) -> None:
    """Move the level of clips, in place; what falls below the floor is raised to it, padding stays.

    Args:
        mels: shape ``(clips, n_mels, frames)``.
        frames: valid frames of each clip, shape ``(clips,)``.
        shift: to add to each clip, shape ``(clips,)``.
        floor: quietest value.
    """
    valid = np.arange(mels.shape[2]) < frames[:, None, None]
    moved = np.maximum(mels + shift[:, None, None], floor)
    np.copyto(mels, moved, where=valid)
