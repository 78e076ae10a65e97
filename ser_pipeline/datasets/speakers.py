"""What each speaker's own clips say of the speaker, without a look at any label.

A speaker is described by the mean and deviation of the features over *all* of their clips in the
chosen corpora, whatever the emotion and whether or not it belongs to the task: picking clips by
their label would be a look at it. Someone who speaks in the training part is described by training
clips alone, wherever else they appear; someone else by the clips of the part they appear in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float64s, Floats, Int8s, Int64s, Strings
from ser_pipeline.datasets.batch import READ_AT_ONCE, ReadableRows
from ser_pipeline.datasets.normalise import inverse
from ser_pipeline.records import PARTS

MIN_CLIPS: Final = 5
"""A speaker with fewer clips is described by all training clips together."""

TRAIN: Final = PARTS.index("train")


@dataclass(frozen=True)
class Surroundings:
    """Every clip of a split that the store has, whatever its emotion.

    Attributes:
        positions: rows in the store, shape ``(clips,)``.
        part: part codes, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
    """

    positions: Int64s
    part: Int8s
    speakers: Strings

    def describing(self, part: Int8s, speakers: Strings) -> Strings:
        """Whose clips describe each of some clips: ``<part>/<speaker>``, shape ``(clips,)``."""
        known = np.unique(self.speakers[self.part == TRAIN])
        told_by = np.where(np.isin(speakers, known), TRAIN, part)
        return np.char.add(np.char.add(told_by.astype(str), "/"), speakers)


@dataclass(frozen=True)
class Described:
    """Speakers by their own clips.

    Attributes:
        names: ``<part>/<speaker>``, sorted.
        center: mean of each column, shape ``(speakers + 1, features)``; the last row is of all
            training clips, for those who have too few.
        scale: deviation of each column, likewise; 0 where a column does not move.
    """

    names: Strings
    center: Float64s
    scale: Float64s

    def apply(self, values: Floats, who: Sequence[str] | Strings) -> Float64s:
        """Centre and scale clips by the speakers who describe them, shape kept."""
        wanted = np.asarray(who, np.str_)
        place = np.minimum(np.searchsorted(self.names, wanted), len(self.names) - 1)
        row = np.where(self.names[place] == wanted, place, len(self.names))
        centred: Float64s = (values - self.center[row]) * inverse(self.scale)[row]
        return centred


def describe_speakers(store: ReadableRows, around: Surroundings) -> Described:
    """Measure every speaker of a split, reading the store in bounded pieces.

    Args:
        store: of feature vectors.
        around: all clips of the split.
    """
    keys = around.describing(around.part, around.speakers)
    counts = (around.part == TRAIN) | ~np.char.startswith(keys, f"{TRAIN}/")
    positions, keys = around.positions[counts], keys[counts]
    names, number = np.unique(keys, return_inverse=True)
    everyone = len(names)
    clips = np.zeros(everyone + 1)
    total, squares = (np.zeros((everyone + 1, store.shape[0])) for _ in range(2))
    offset = _typical(store, around.positions[around.part == TRAIN])
    for start in range(0, len(positions), READ_AT_ONCE):
        part = slice(start, start + READ_AT_ONCE)
        values = store.read(positions[part])[0].astype(np.float64) - offset
        trained = np.char.startswith(keys[part], f"{TRAIN}/")
        for place, chosen in ((number[part], slice(None)), (np.full(trained.sum(), everyone), trained)):
            np.add.at(clips, place, 1)
            np.add.at(total, place, values[chosen])
            np.add.at(squares, place, np.square(values[chosen]))
    mean = total / np.maximum(clips, 1)[:, None]
    scale = np.sqrt(np.maximum(squares / np.maximum(clips, 1)[:, None] - np.square(mean), 0))
    few = clips[:-1] < MIN_CLIPS
    mean[:-1][few], scale[:-1][few] = mean[-1], scale[-1]
    return Described(names, mean + offset, np.where(scale <= 1e-9 * np.abs(mean + offset), 0.0, scale))


def _typical(store: ReadableRows, positions: Int64s) -> Float64s:
    """A value near each column's mean over training clips: sums of squares around it lose few digits."""
    some: Float64s = store.read(positions[:READ_AT_ONCE])[0].astype(np.float64).mean(axis=0)
    return some
