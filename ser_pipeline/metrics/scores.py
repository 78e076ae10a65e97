"""Scores of decisions, all from a confusion matrix.

Every function takes counts of shape ``(..., classes, classes)``, rows true classes and columns
decisions, and works on the last two axes, so that a thousand resampled matrices cost one call.
Classes that no clip belongs to are left out of means, as in scikit-learn's balanced accuracy.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64] | Floats


def confusion_matrix(targets: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
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


def accuracy(confusion: Counts) -> Floats:
    """Share of correct decisions; 0 where there are no clips.

    Examples:
        >>> float(accuracy(np.array([[1, 1], [0, 2]])))
        0.75
    """
    hits = np.trace(confusion, axis1=-2, axis2=-1)
    return _ratio(hits, confusion.sum((-2, -1)))


def recall(confusion: Counts) -> Floats:
    """Share of each true class that was found, shape ``(..., classes)``; 0 for absent classes.

    Examples:
        >>> recall(np.array([[1, 1], [0, 2]]))
        array([0.5, 1. ])
    """
    return _ratio(_diagonal(confusion), confusion.sum(-1))


def precision(confusion: Counts) -> Floats:
    """Share of each decision that was right, shape ``(..., classes)``; 0 where it was never made.

    Examples:
        >>> precision(np.array([[1, 1], [0, 3]]))
        array([1.  , 0.75])
    """
    return _ratio(_diagonal(confusion), confusion.sum(-2))


def f1(confusion: Counts) -> Floats:
    """Harmonic mean of precision and recall by class, shape ``(..., classes)``.

    Examples:
        >>> f1(np.array([[1, 1], [0, 2]])).round(3)
        array([0.667, 0.8  ])
    """
    return _ratio(2 * _diagonal(confusion), confusion.sum(-1) + confusion.sum(-2))


def uar(confusion: Counts) -> Floats:
    """Unweighted average recall over the classes present: balanced accuracy.

    References:
        Schuller et al., "The INTERSPEECH 2009 Emotion Challenge", section 3.

    Examples:
        >>> float(uar(np.array([[1, 1, 0], [0, 2, 0], [0, 0, 0]])))
        0.75
    """
    return _over_present(recall(confusion), confusion)


def macro_f1(confusion: Counts) -> Floats:
    """Mean F1 over the classes present.

    Examples:
        >>> round(float(macro_f1(np.array([[1, 1], [0, 2]]))), 3)
        0.733
    """
    return _over_present(f1(confusion), confusion)


def _diagonal(confusion: Counts) -> Floats:
    return np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)


def _over_present(values: Floats, confusion: Counts) -> Floats:
    present = confusion.sum(-1) > 0
    return _ratio((values * present).sum(-1), present.sum(-1))


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    result: Floats = np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole > 0)
    return result
