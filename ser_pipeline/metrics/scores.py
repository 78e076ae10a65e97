"""Scores of decisions: from a confusion matrix, by distance, by concordance, and what a guess would give.

Every function takes counts of shape ``(..., classes, classes)``, rows true classes and columns
decisions, and works on the last two axes, so that a thousand resampled matrices cost one call.
Classes that no clip belongs to are left out of means, as in scikit-learn's balanced accuracy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float64s, Int64s

Counts = Int64s | Float64s


def confusion_matrix(targets: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> Int64s:
    """Count decisions by true class.

    Args:
        targets: class numbers, shape ``(clips,)``.
        predicted: class numbers, shape ``(clips,)``.
        classes: number of classes.

    Returns:
        Shape ``(classes, classes)``, rows true classes.

    Examples:
        >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2)
        array([[1, 1],
               [0, 1]])
    """
    cell = np.asarray(targets, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(cell, minlength=classes * classes).reshape(classes, classes)


def accuracy(confusion: Counts) -> Float64s:
    """Share of correct decisions; 0 if there are no clips.

    Examples:
        >>> float(accuracy(np.array([[1, 1], [0, 2]])))
        0.75
    """
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return _ratio(hits, confusion.sum((-2, -1)))


def recall(confusion: Counts) -> Float64s:
    """Share of each true class that was found, shape ``(..., classes)``; 0 for absent classes.

    Examples:
        >>> recall(np.array([[1, 1], [0, 2]]))
        array([0.5, 1. ])
    """
    return _ratio(_diagonal(confusion), confusion.sum(-1))


def precision(confusion: Counts) -> Float64s:
    """Share of each decision that was right, shape ``(..., classes)``; 0 where it was never made.

    Examples:
        >>> precision(np.array([[1, 1], [0, 3]]))
        array([1.  , 0.75])
    """
    return _ratio(_diagonal(confusion), confusion.sum(-2))


def f1(confusion: Counts) -> Float64s:
    """Harmonic mean of precision and recall by class, shape ``(..., classes)``.

    Examples:
        >>> f1(np.array([[1, 1], [0, 2]])).round(3)
        array([0.667, 0.8  ])
    """
    return _ratio(2 * _diagonal(confusion), confusion.sum(-1) + confusion.sum(-2))


def uar(confusion: Counts) -> Float64s:
    """Unweighted average recall over the classes present: balanced accuracy.

    References:
        Schuller et al., "The INTERSPEECH 2009 Emotion Challenge", section 3.

    Examples:
        >>> float(uar(np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]])))
        0.75
    """
    return _over_present(recall(confusion), confusion)


def macro_f1(confusion: Counts) -> Float64s:
    """Mean F1 over the classes present.

    Examples:
        >>> round(float(macro_f1(np.array([[1, 1], [0, 2]]))), 3)
        0.733
    """
    return _over_present(f1(confusion), confusion)


def _diagonal(confusion: Counts) -> Float64s:
    return np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)


def _over_present(values: Float64s, confusion: Counts) -> Float64s:
    present = confusion.sum(-1) > 0
    return _ratio((values * present).sum(-1), present.sum(-1))


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Float64s:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    result: Float64s = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return result


def class_counts(groups: npt.ArrayLike, targets: npt.ArrayLike, classes: int) -> dict[str, tuple[int, ...]]:
    """Count the clips of each group by class, shape ``(classes,)`` each.

    Examples:
        >>> class_counts(["a", "a", "b"], [1, 1, 0], 2)
        {'a': (0, 2), 'b': (1, 0)}
    """
    names = np.asarray(groups, object).astype(str)
    numbers = np.asarray(targets, np.int64)
    return {
        str(name): tuple(np.bincount(numbers[names == name], minlength=classes).tolist())
        for name in np.unique(names)
    }


def majority_guess(groups: npt.ArrayLike, counts: Mapping[str, tuple[int, ...]], classes: int) -> Int64s:
    """Guess for each clip the most frequent training class of its group.

    A score that does not beat this guess may come from telling corpora apart.

    Args:
        groups: names, as of corpora, shape ``(clips,)``.
        counts: training clips of each group by class, from :func:`class_counts`.
        classes: number of classes.

    Returns:
        Class numbers, shape ``(clips,)``; a group that training never saw gets the most frequent
        class of all training clips. Ties go to the lower class number.

    Examples:
        >>> majority_guess(["a", "x"], {"a": (0, 2), "b": (5, 0)}, 2)
        array([1, 0])
    """
    total = np.sum([*counts.values(), (0,) * classes], axis=0)
    best = {name: int(np.argmax(row)) for name, row in counts.items()}
    other = int(np.argmax(total))
    names = np.asarray(groups, object).astype(str)
    return np.array([best.get(name, other) for name in names.tolist()], np.int64)


@dataclass(frozen=True, slots=True)
class Confused:
    """Clips of one class taken for another.

    Attributes:
        target: the true class.
        predicted: the decided one.
        clips: how many.
        share: of the true class's clips, in [0, 1].
    """

    target: str
    predicted: str
    clips: int
    share: float


def most_confused(confusion: Sequence[Sequence[int]], names: Sequence[str], limit: int = 3) -> list[Confused]:
    """Find the pairs of classes with the largest share of the true class's clips.

    Args:
        confusion: counts, rows true classes.
        names: of the classes.
        limit: how many pairs at most.

    Examples:
        >>> most_confused([[3, 1], [0, 2]], ["a", "b"])
        [Confused(target='a', predicted='b', clips=1, share=0.25)]
    """
    found = [
        Confused(names[row], names[column], clips, clips / sum(counts))
        for row, counts in enumerate(confusion)
        for column, clips in enumerate(counts)
        if row != column and clips
    ]
    return sorted(found, key=lambda pair: (-pair.share, pair.target, pair.predicted))[:limit]


def mean_error_distance(confusion: Int64s, distances: npt.ArrayLike) -> float | None:
    """Mean distance of the wrong decisions.

    Args:
        confusion: counts, shape ``(classes, classes)``, rows true classes.
        distances: between classes, same shape; the diagonal is not looked at.

    Returns:
        None where no decision was wrong.

    Examples:
        >>> mean_error_distance(np.array([[5, 1], [3, 0]]), [[1.0, 0.5], [1.0, 1.0]])
        0.875
    """
    wrong = confusion.sum() - np.trace(confusion)
    return float(error_distance(confusion, distances)) if wrong else None


def error_distance(confusion: Counts, distances: npt.ArrayLike) -> Float64s:
    """Mean distance of the wrong decisions, for many confusion matrices at once.

    Args:
        confusion: counts, shape ``(..., classes, classes)``, rows true classes.
        distances: between classes, shape ``(classes, classes)``; the diagonal is not looked at.

    Returns:
        Shape ``(...)``; 0 where no decision was wrong.

    Examples:
        >>> error_distance(np.array([[[5, 1], [3, 0]], [[2, 0], [0, 2]]]), [[1.0, 0.5], [1.0, 1.0]])
        array([0.875, 0.   ])
    """
    off = 1 - np.eye(confusion.shape[-1])
    counts = (confusion * off).sum((-2, -1))
    total = (confusion * off * np.asarray(distances, np.float64)).sum((-2, -1))
    found: Float64s = np.divide(total, counts, out=np.zeros(counts.shape), where=counts > 0)
    return found
