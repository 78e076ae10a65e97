"""What each speaker's own clips say of the speaker, without a look at any label.

A speaker is described by the mean and deviation of the features over *all* of their clips in the
chosen corpora, whatever the emotion and whether or not it belongs to the task: picking clips by
their label would be a look at it. Someone who speaks in the training part is described by training
clips alone, wherever else they appear; someone else by the clips of the part they appear in.

In mode ``adaptive``, training pretends to know of its speakers now nothing, now a few clips, now all of
them, so that a model has seen how vectors look after any number of enrolment clips. A user may then enrol
a new speaker with as many clips as there are, or with none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Bools, Float32s, Float64s, Floats, Int8s, Int64s, Strings
from ser_pipeline.corpora.words import is_nobody
from ser_pipeline.datasets.normalise import PULL_SCALE, Voice, inverse, slices
from ser_pipeline.datasets.rows import READ_AT_ONCE, ReadableRows, read_vectors
from ser_pipeline.records import PARTS, UNKNOWN_SPEAKER, names_nobody
from ser_pipeline.tables.cells import plural

MIN_CLIPS: Final = 5
"""A speaker with fewer clips is described by all training clips together."""

TRAIN: Final = PARTS.index("train")


def nobodys(speakers: Strings) -> Bools:
    """Whether each of some clips does not say who speaks, shape ``(clips,)``."""
    return np.array([names_nobody(name) for name in speakers.tolist()], np.bool_)


def nobodys_clips(speakers: Strings) -> str:
    """How many clips do not say who speaks and what they are normalised by, in words; "" for none."""
    count = int(nobodys(speakers).sum())
    whom = "do not say who speaks and are" if count > 1 else "does not say who speaks and is"
    return f"{plural(count, 'clip')} {whom} normalised like unknown voices, not by speaker" if count else ""


def names_in(words: Strings) -> Strings:
    """Names of speakers from words of a user, of which some may say that nobody knows who speaks.

    Examples:
        >>> nobodys(names_in(np.array(["nan", "anna", "?", "None"])))
        array([ True, False,  True,  True])
    """
    different, number = np.unique(words, return_inverse=True)
    names = [f"-{UNKNOWN_SPEAKER}" if is_nobody(word) else word for word in different.tolist()]
    return np.array(names, np.str_)[number]


def rows_by_name(names: Strings) -> dict[str, Int64s]:
    """Which rows have each name, by sorted name, at the cost of one sort.

    Examples:
        >>> {name: rows.tolist() for name, rows in rows_by_name(np.array(["b", "a", "b"])).items()}
        {'a': [1], 'b': [0, 2]}
    """
    different, number = np.unique(names, return_inverse=True)
    ends = np.cumsum(np.bincount(number, minlength=len(different)))
    rows = np.split(np.argsort(number, kind="stable"), ends[:-1])
    return dict(zip(different.tolist(), rows, strict=False))  # of no names there is one part without rows


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

    @classmethod
    def of(cls, speakers: Strings) -> "Surroundings":
        """Clips that all describe whoever speaks in them, numbered in their order."""
        return cls(np.arange(len(speakers)), np.full(len(speakers), TRAIN, np.int8), speakers)

    def describing(self, part: Int8s, speakers: Strings) -> Strings:
        """Whose clips describe each of some clips: ``<part>/<speaker>``, shape ``(clips,)``.

        Those that do not say who speaks are ``<part>/``: they are many people, and describe none of them.
        """
        known = np.unique(self.speakers[self.part == TRAIN])
        told_by = np.where(np.isin(speakers, known), TRAIN, part)
        names = np.where(nobodys(speakers), "", speakers)
        return np.char.add(np.char.add(told_by.astype(str), "/"), names)


class InMemory:
    """As much of a store as describing speakers asks for.

    Args:
        vectors: shape ``(clips, features)``.
    """

    def __init__(self, vectors: Floats) -> None:
        self._vectors = vectors
        self.shape: tuple[int, ...] = vectors.shape[1:]

    def read(self, positions: npt.ArrayLike) -> tuple[Floats, None, None]:
        """Vectors of some clips."""
        return self._vectors[np.asarray(positions, np.int64)], None, None


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
        centred, spread = np.empty(values.shape), inverse(self.scale)
        for part in slices(len(values)):
            centred[part] = (values[part] - self.center[row[part]]) * spread[row[part]]
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
    few = (clips[:-1] < MIN_CLIPS) | np.char.endswith(names, "/")
    mean[:-1][few], scale[:-1][few] = mean[-1], scale[-1]
    return Described(names, mean + offset, np.where(scale <= 1e-9 * np.abs(mean + offset), 0.0, scale))


def _typical(store: ReadableRows, positions: Int64s) -> Float64s:
    """A value near each column's mean over training clips: sums of squares around it lose few digits."""
    some: Float64s = store.read(positions[:READ_AT_ONCE])[0].astype(np.float64).mean(axis=0)
    return some


def by_own_clips(values: Floats, speakers: Strings, usual: Voice) -> Float64s:
    """Centre and scale clips of new people by their own mean and deviation, shape kept.

    Args:
        values: vectors of all their clips, shape ``(clips, features)``.
        speakers: who speaks in each, shape ``(clips,)``.
        usual: of those with too few clips, or of whom nobody knows who they are.
    """
    normal = usual.apply(values)
    for name, rows in rows_by_name(speakers).items():
        if len(rows) >= MIN_CLIPS and not names_nobody(name):
            own = describe_speakers(InMemory(values[rows]), Surroundings.of(speakers[rows]))
            normal[rows] = own.apply(values[rows], own.names.repeat(len(rows)))
    return normal


ENROLMENTS: Final = (0, 1, 3, 8, 20, None)
"""Clips of a speaker that training pretends to know; None stands for all of them."""

COPIES: Final = 3
"""How often each training clip is learned, each time with another enrolment."""


def average_voice(store: ReadableRows, around: Surroundings) -> Voice:
    """Mean over the training speakers' means, and the deviation within one of them.

    Of speakers with a clip or two each, little or nothing is known of how one of them varies: the fewer
    than :data:`PULL_SCALE` clips come second or later, the more the deviation over all clips counts instead.

    Args:
        store: of vectors.
        around: all clips of the split.
    """
    read = ((len(rows), read_vectors(store, rows).astype(np.float64)) for rows in _each_speaker(around))
    counts, centers, variances = map(np.array, zip(*((n, v.mean(0), v.var(0)) for n, v in read), strict=True))
    center, known = centers.mean(0), min(1.0, (counts - 1).sum() / PULL_SCALE)
    within = known * variances[counts > 1].mean(0) if known else 0.0
    off = variances + np.square(centers - np.average(centers, axis=0, weights=counts))
    scale = np.sqrt(within + (1 - known) * np.average(off, axis=0, weights=counts))
    still = scale <= 1e-9 * np.maximum(np.abs(center), 1e-12)
    return Voice(center=tuple(center.tolist()), scale=tuple(np.where(still, 0.0, scale).tolist()))


def _each_speaker(around: Surroundings) -> Iterator[Int64s]:
    """Positions of the training clips of one speaker after another; of all together if nobody is named."""
    trained = around.part == TRAIN
    named = trained & ~nobodys(around.speakers)
    if not named.any():
        yield around.positions[trained]
    positions = around.positions[named]
    for rows in rows_by_name(around.speakers[named]).values():
        yield positions[rows]


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
    positions, own = around.positions[told], rows_by_name(known[told])
    normal = np.empty(values.shape, np.float32)
    for name, rows in rows_by_name(who).items():
        heard = voice
        if name in own and not name.endswith("/"):
            heard = voice.pulled(read_vectors(store, positions[own[name]]))
        normal[rows] = heard.apply(values[rows])
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

    Each speaker's clips are divided into as many groups as there are :data:`ENROLMENTS`, and each group is
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
    positions, told = around.positions[trained], rows_by_name(around.speakers[trained])
    normal = np.empty(values.shape, np.float32)
    for number, (name, rows) in enumerate(rows_by_name(speakers).items()):
        rng = np.random.default_rng([seed, number])
        if names_nobody(name):
            normal[rows] = voice.apply(values[rows])
            continue
        own = read_vectors(store, positions[told[name]])
        groups = np.array_split(rng.permutation(rows), len(ENROLMENTS))
        for count, group in zip(ENROLMENTS, groups, strict=True):
            some = own if count is None else own[rng.permutation(len(own))[:count]]
            normal[group] = voice.pulled(some).apply(values[group])
    return normal
