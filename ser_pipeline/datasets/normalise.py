"""What is learned of training clips before the first step, and how inputs are normalised by it.

Four modes, one last step. ``none`` takes the vectors as they are, ``relative`` first relates each
clip to itself (:mod:`ser_pipeline.features.relative`), ``speaker`` first centres and scales each
speaker's clips by their own mean and deviation, ``adaptive`` by ones that a speaker's clips, as many as
there are, pull away from those of the average speaker. The last step standardises every column by its
mean and deviation over *training* clips; no other clip ever has a say in it.

The store keeps mels at the recorded level (``level none``) and each clip's level in dB. Level
``corpus_rms`` moves all clips of a corpus by the same number of dB. On a fixed dB scale that is
an addition, so it is done when a batch is read and needs no store of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ser_pipeline.arrays import Float32s, Float64s, Floats, Int64s
from ser_pipeline.errors import RunError
from ser_pipeline.options import FrontEnd, Normalise, Options

WIDEST: Final = 10.0
"""Standardised values are cut here: a column that hardly moved in training must not drown all others."""

_CONSTANT = 1e-6
"""A column whose deviation is below this share of its magnitude does not move."""

_AT_ONCE: Final = 4096
"""Rows that are computed in one go."""

PULL_CENTER: Final = 8.0
PULL_SCALE: Final = 20.0
"""Clips of the average speaker that stand beside a speaker's own in mode ``adaptive``, for mean and variance:
chosen on folds of training and validation speakers (docs/training.md)."""

OTHER_CORPORA: Final = "*"
"""Key of the gain for recordings of a corpus that training did not have."""


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
        center, spread = np.array(self.center), inverse(np.array(self.scale))
        cut = np.empty(values.shape, np.float32)
        for part in slices(len(values)):
            cut[part] = np.clip((values[part] - center) * spread, -WIDEST, WIDEST)
        return cut


class Voice(Options):
    """What is taken for a speaker's own mean and deviation, for mode ``adaptive``.

    As learned it is that of the average training speaker; clips of somebody pull it towards them.

    Attributes:
        center: mean of each column, over the means of speakers.
        scale: deviation of each column within a speaker.
    """

    center: tuple[float, ...]
    scale: tuple[float, ...]

    def pulled(self, clips: Floats) -> "Voice":
        """The voice of a speaker of whom some clips are known; without clips it stays as it is.

        The mean counts as :data:`PULL_CENTER` clips of the average speaker beside those given, the
        variance as :data:`PULL_SCALE`: few clips move them little.

        Args:
            clips: of one speaker, whatever the emotion, shape ``(clips, features)``.

        Examples:
            >>> Voice(center=(0.0,), scale=(1.0,)).pulled(np.full((8, 1), 2.0)).center
            (1.0,)
        """
        heard = Heard(self)
        for clip in clips:
            heard.add(clip)
        return heard.voice

    def apply(self, values: Floats) -> Float64s:
        """Centre and scale clips by this voice, shape kept."""
        centred: Float64s = (values - np.array(self.center)) * inverse(np.array(self.scale))
        return centred


class Heard:
    """Clips of one speaker, one after another, in as much memory as one of them takes.

    Args:
        usual: the voice before any clip is heard.
    """

    def __init__(self, usual: Voice) -> None:
        self._usual = usual
        self._count = 0
        self._mean = np.zeros(len(usual.center))
        self._squares = np.zeros(len(usual.center))

    def add(self, clip: Floats) -> None:
        """Hear a clip, shape ``(features,)``."""
        self._count += 1
        off = clip - self._mean
        self._mean += off / self._count
        self._squares += off * (clip - self._mean)

    @property
    def voice(self) -> Voice:
        """The usual voice, pulled towards what was heard; see :meth:`Voice.pulled`."""
        count = self._count
        if not count:
            return self._usual
        usual, variance = np.array(self._usual.center), np.square(self._usual.scale)
        center = (count * self._mean + PULL_CENTER * usual) / (count + PULL_CENTER)
        own = self._squares / count if count > 1 else variance
        spread = np.sqrt((count * own + PULL_SCALE * variance) / (count + PULL_SCALE))
        return Voice(center=tuple(center.tolist()), scale=tuple(spread.tolist()))


class Learned(Options):
    """Statistics of the training part, saved with the model.

    Attributes:
        gains_db: corpus -> gain at level ``corpus_rms``, ``*`` for other corpora; else empty.
        scaling: of feature vectors; None for mels.
        voice: of the average training speaker, for mode ``adaptive``; else None.
    """

    gains_db: dict[str, float] = Field(default_factory=dict)
    scaling: Scaling | None = None
    voice: Voice | None = None


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


def moments(values: Floats) -> tuple[Float64s, Float64s]:
    """Mean and deviation of each column, shape ``(features,)`` each; 0 for a column that does not move."""
    total, squares, largest = np.zeros((3, values.shape[1]))
    for part in slices(len(values)):
        total += values[part].sum(axis=0, dtype=np.float64)
        np.maximum(largest, np.abs(values[part]).max(axis=0), out=largest)
    center = total / len(values)
    for part in slices(len(values)):
        squares += np.square(values[part] - center).sum(axis=0)
    scale = np.sqrt(squares / len(values))
    still = scale <= _CONSTANT * np.maximum(largest, 1e-12)
    return center, np.where(still, 0.0, scale)


def slices(rows: int) -> Iterator[slice]:
    """Parts of some rows that are computed one after another: their float64 copies take little memory."""
    return (slice(start, start + _AT_ONCE) for start in range(0, rows, _AT_ONCE))


def inverse(scale: Floats) -> Float64s:
    """``1 / scale``, 0 where the scale is 0.

    Examples:
        >>> inverse(np.array([2.0, 0.0]))
        array([0.5, 0. ])
    """
    wide = np.asarray(scale, np.float64)
    return np.divide(1.0, wide, out=np.zeros_like(wide), where=wide > 0)


def first_step(values: Float32s, names: tuple[str, ...], mode: Normalise) -> Floats:
    """What a mode does to each clip by itself; ``speaker`` and ``adaptive`` ask for the speaker's others.

    Args:
        values: shape ``(clips, features)``.
        names: of the columns.
        mode: of the normalisation.
    """
    if mode != "relative":
        return values
    from ser_pipeline.features.relative import relative  # loads a fifth of a second that mels do without

    return relative(values, names)


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


def shifts(gains_db: Mapping[str, float], corpora: npt.ArrayLike, front_end: FrontEnd) -> Float32s:
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


def shift_levels(mels: Float32s, frames: Int64s, shift: Float32s) -> None:
    """Move the level of clips, in place; what falls below -1 is raised to it, padding stays.

    Args:
        mels: shape ``(clips, n_mels, frames)``.
        frames: valid frames of each clip, shape ``(clips,)``.
        shift: to add to each clip, shape ``(clips,)``.
    """
    valid = np.arange(mels.shape[2]) < frames[:, None, None]
    moved = np.maximum(mels + shift[:, None, None], -1.0)
    np.copyto(mels, moved, where=valid)
