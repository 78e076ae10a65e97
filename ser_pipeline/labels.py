"""The shared emotion vocabulary, and the tasks that pick and merge from it.

Ids are published once and never change; the first six are in the order of the source
report. A *task* is an ordered choice of emotions, with merges of its own; the manifest
keeps every corpus's own label beside the shared id, so merging is never a parser's work.
A task may also consist of ratings on scales, and of no emotion.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from ser_pipeline.errors import LabelError

EMOTIONS: Final = (
    "anger", "happiness", "neutral", "sadness", "fear", "surprise",
    "disgust", "calm", "boredom", "excitement", "frustration", "contempt",
)  # fmt: skip
"""Emotion names; the position is the shared id."""

OTHER: Final = "other"
"""A label that is kept in the manifest (id -1) and used by no task."""

OTHER_ID: Final = -1

DIMENSIONS: Final = ("valence", "arousal", "dominance")
"""Columns of the manifest that say where a recording lies on three scales, in the order of models."""

_DISTANCES: Final[Mapping[tuple[str, ...], tuple[tuple[float, ...], ...]]] = MappingProxyType(
    {
        EMOTIONS[:4]: (
            (1.0, 0.9, 0.7, 0.6),
            (0.9, 1.0, 0.6, 0.8),
            (0.7, 0.6, 1.0, 0.8),
            (0.6, 0.8, 0.8, 1.0),
        ),
        EMOTIONS[:6]: (
            (1.0, 0.9, 0.7, 0.6, 0.7, 0.8),
            (0.9, 1.0, 0.6, 0.8, 0.8, 0.7),
            (0.7, 0.6, 1.0, 0.8, 0.7, 0.6),
            (0.6, 0.8, 0.8, 1.0, 0.7, 0.8),
            (0.7, 0.8, 0.7, 0.7, 1.0, 0.8),
            (0.8, 0.7, 0.6, 0.8, 0.8, 1.0),
        ),
    }
)


def emotion_id(name: str) -> int:
    """Shared id of an emotion name.

    Raises:
        LabelError: ``name`` is not in the vocabulary.

    Examples:
        >>> emotion_id("sadness"), emotion_id("other")
        (3, -1)
    """
    if name == OTHER:
        return OTHER_ID
    if name not in EMOTIONS:
        raise LabelError(f"emotion '{name}' does not exist; valid are {', '.join(EMOTIONS)}, {OTHER}")
    return EMOTIONS.index(name)


def emotion_name(identity: int) -> str:
    """Name of a shared emotion id.

    Raises:
        LabelError: ``identity`` is not a shared id.

    Examples:
        >>> emotion_name(0), emotion_name(-1)
        ('anger', 'other')
    """
    if identity == OTHER_ID:
        return OTHER
    if not 0 <= identity < len(EMOTIONS):
        raise LabelError(f"emotion id {identity} does not exist; valid are -1 to {len(EMOTIONS) - 1}")
    return EMOTIONS[identity]


def parse_merges(text: str) -> dict[str, str]:
    """Read merges written as ``calm=neutral,excitement=happiness``.

    Raises:
        LabelError: a part is not ``source=target``, names no emotion, or merges into two or a merged one.

    Examples:
        >>> parse_merges("calm=neutral")
        {'calm': 'neutral'}
        >>> parse_merges("")
        {}
    """
    merges: dict[str, str] = {}
    for part in filter(None, (item.strip() for item in text.split(","))):
        source, equals, target = part.partition("=")
        if not equals or source == target:
            raise LabelError(f"merge '{part}' is not 'source=target', as in 'calm=neutral'")
        for name in (source, target):
            emotion_id(name)
        if merges.setdefault(source, target) != target:
            raise LabelError(f"merge of '{source}' goes into {merges[source]} and {target}; name one of them")
    chained = [source for source, target in merges.items() if target in merges]
    if chained:
        raise LabelError(f"merge of '{chained[0]}' goes into a merged emotion; name its final one")
    return merges


@dataclass(frozen=True)
class Task:
    """An ordered choice of emotions to tell apart, or of ratings to predict.

    Attributes:
        name: as given to ``--task``.
        emotions: class names; their order is the order of a model's outputs. None in a task of ratings.
        merges: emotion -> emotion of the task it counts as.
        corpora: corpus ids the task is defined on; empty means all.
        dimensions: names of the ratings that are predicted instead of emotions, some of :data:`DIMENSIONS`.
    """

    name: str
    emotions: tuple[str, ...]
    merges: Mapping[str, str] = field(default_factory=dict)
    corpora: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the choice.

        Raises:
            LabelError: fewer than two classes, a repeated class, ``other``, or a merge that leads nowhere.
        """
        if OTHER in self.emotions:
            raise LabelError(
                f"task '{self.name}': '{OTHER}' is not an emotion that a model can predict, as it stands for "
                "every label without a name here; give these recordings a label in the corpus's description"
            )
        for name in (*self.emotions, *self.merges):
            emotion_id(name)
        different, has = dict.fromkeys(self.emotions), ", ".join(self.emotions)
        if len(different) < 2 and not self.dimensions:
            found = f"one emotion ({self.emotions[0]})" if different else "no emotion"
            raise LabelError(f"task '{self.name}' has {found}; it needs at least two")
        if len(different) != len(self.emotions):
            raise LabelError(f"task '{self.name}' names an emotion twice ({has}); name each once")
        for source, target in self.merges.items():
            if target not in self.emotions or source in self.emotions:
                raise LabelError(
                    f"task '{self.name}': merge {source}={target} must lead from an emotion outside "
                    f"the task into one of {', '.join(self.emotions)}"
                )

    @property
    def words(self) -> str:
        """What it tells of a clip.

        Examples:
            >>> Task("4class", EMOTIONS[:4]).words
            'anger, happiness, neutral, sadness'
        """
        return ", ".join(self.emotions or self.dimensions)

    @property
    def class_of(self) -> dict[int, int]:
        """Shared emotion id -> class index; ids not in it are not part of the task."""
        index = {name: number for number, name in enumerate(self.emotions)}
        merged = {source: index[target] for source, target in self.merges.items()}
        return {emotion_id(name): number for name, number in (index | merged).items()}

    def merged(self, merges: Mapping[str, str]) -> "Task":
        """Return this task with further merges; those into emotions outside it are left out."""
        usable = {
            source: target
            for source, target in merges.items()
            if target in self.emotions and source not in self.emotions
        }
        return replace(self, merges={**self.merges, **usable})


TASKS: Final[Mapping[str, Task]] = MappingProxyType(
    {
        "4class": Task("4class", EMOTIONS[:4]),
        "6class": Task("6class", EMOTIONS[:6]),
        "iemocap4": Task("iemocap4", EMOTIONS[:4], {"excitement": "happiness"}, ("iemocap",)),
    }
)
"""Named tasks; ``all`` depends on the data and is made where a split is read."""


def task_named(name: str, own: Mapping[str, Sequence[str]] | None = None) -> Task:
    """Look a task up by name, among the shipped ones and those of ``ser.toml``.

    Args:
        name: as given to ``--task``.
        own: name -> emotions, from the settings file.

    Raises:
        LabelError: no such task.

    Examples:
        >>> task_named("4class").emotions
        ('anger', 'happiness', 'neutral', 'sadness')
    """
    if own and name in own:
        return Task(name, tuple(own[name]))
    if name not in TASKS:
        valid = ", ".join([*TASKS, "all", *(own or {})])
        emotions = [word.strip() for word in name.split(",")]
        asked = len(emotions) > 1 and all(word in EMOTIONS for word in emotions)
        raise LabelError(
            f"task '{name}' does not exist; valid are {valid}, and those that ser.toml defines, as in "
            f"[tasks] mine = {emotions if asked else ['anger', 'calm']}"
        )
    return TASKS[name]


def rating_task(dimensions: Sequence[str]) -> Task:
    """The task of predicting ratings.

    Examples:
        >>> rating_task(["valence", "arousal"]).name
        'valence, arousal'
    """
    return Task(", ".join(dimensions), (), dimensions=tuple(dimensions))


def distance_matrix(emotions: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """Distances between emotions, diagonal 1, as the source report gives them.

    Returns:
        Shape ``(len(emotions), len(emotions))``, in the order given.

    Raises:
        LabelError: an emotion that the published matrices do not hold.

    Examples:
        >>> distance_matrix(["anger", "sadness"])
        ((1.0, 0.6), (0.6, 1.0))
    """
    for known, matrix in _DISTANCES.items():
        if set(emotions) <= set(known):
            place = [known.index(name) for name in emotions]
            return tuple(tuple(matrix[row][column] for column in place) for row in place)
    raise LabelError(
        f"no distance matrix holds {', '.join(emotions)}; the published ones cover "
        f"{', '.join(EMOTIONS[:6])}: choose --loss ce or another task"
    )
