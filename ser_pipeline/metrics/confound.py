"""What can be guessed without listening: the emotion a corpus has most of."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt


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


def majority_guess(
    groups: npt.ArrayLike, counts: Mapping[str, tuple[int, ...]], classes: int
) -> npt.NDArray[np.int64]:
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
