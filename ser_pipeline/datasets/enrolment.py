"""Mode ``adaptive``: vectors centred and scaled by what is known of the speaker, be it much or nothing.

Training pretends to know of its speakers now nothing, now a few clips, now all of them, so that a
model has seen how vectors look after any number of enrolment clips. A user may then enrol
a new speaker with as many clips as there are, or with none.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s, Int64s, Strings
from ser_pipeline.datasets.batch import ReadableRows, read_vectors
from ser_pipeline.datasets.normalise import Voice
from ser_pipeline.datasets.speakers import TRAIN, Surroundings

ENROLMENTS: Final = (0, 1, 3, 8, 20, None)
"""Clips of a speaker that training pretends to know; None stands for all of them."""

COPIES: Final = 3
"""How often each training clip is learned, each time with another enrolment."""


def average_voice(store: ReadableRows, around: Surroundings) -> Voice:
    """Mean over the training speakers' means, and the deviation within one of them.

    Args:
        store: of vectors.
        around: all clips of the split.
    """
    centers, variances = [], []
    for positions in _each_speaker(around):
        own = read_vectors(store, positions).astype(np.float64)
        centers.append(own.mean(0))
        if len(own) > 1:
            variances.append(own.var(0))
    center = np.mean(centers, axis=0)
    scale = np.sqrt(np.mean(variances, axis=0)) if variances else np.ones_like(center)
    still = scale <= 1e-9 * np.maximum(np.abs(center), 1e-12)
    return Voice(center=tuple(center.tolist()), scale=tuple(np.where(still, 0.0, scale).tolist()))


def _each_speaker(around: Surroundings) -> Iterator[Int64s]:
    """Positions of the training clips of one speaker after another."""
    trained = around.part == TRAIN
    for name in np.unique(around.speakers[trained]):
        yield around.positions[trained & (around.speakers == name)]


def enrolled(
    store: ReadableRows, around: Surroundings, voice: Voice, values: Float32s, who: Strings
) -> Float32s:
    """Normalise clips by all that the split has of their speakers.

    Args:
        store: of vectors.
        around: all clips of the split.
        voice: of the average training speaker.
        values: vectors of the clips, shape ``(clips, features)``.
        who: whose clips describe each, of :meth:`Surroundings.describing`, shape ``(clips,)``.
    """
    known = around.describing(around.part, around.speakers)
    told = (around.part == TRAIN) | ~np.char.startswith(known, f"{TRAIN}/")
    normal = np.empty(values.shape, np.float32)
    for name in np.unique(who):
        own = read_vectors(store, around.positions[told & (known == name)])
        rows = who == name
        normal[rows] = voice.pulled(own).apply(values[rows])
    return normal


def pretended(
    store: ReadableRows,
    around: Surroundings,
    voice: Voice,
    values: Float32s,
    speakers: Strings,
    *,
    seed: int,
) -> Float32s:
    """Normalise training clips as if now more, now fewer clips of their speakers were known.

    Each speaker's clips are dealt into as many groups as there are :data:`ENROLMENTS`, and each group is
    normalised by another random choice of the speaker's training clips.

    Args:
        store: of vectors.
        around: all clips of the split.
        voice: of the average training speaker.
        values: vectors of training clips, shape ``(clips, features)``.
        speakers: of the clips, shape ``(clips,)``.
        seed: of the choice.
    """
    trained = around.part == TRAIN
    normal = np.empty(values.shape, np.float32)
    for number, name in enumerate(np.unique(speakers)):
        rng = np.random.default_rng([seed, number])
        own = read_vectors(store, around.positions[trained & (around.speakers == name)])
        rows = rng.permutation(np.flatnonzero(speakers == name))
        for count, group in zip(ENROLMENTS, np.array_split(rows, len(ENROLMENTS)), strict=True):
            some = own if count is None else own[rng.permutation(len(own))[:count]]
            normal[group] = voice.pulled(some).apply(values[group])
    return normal
