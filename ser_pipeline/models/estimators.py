"""scikit-learn's classifiers, and the regressions beside them, before they are fitted."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from ser_pipeline.arrays import Int64s, Strings
from ser_pipeline.errors import SettingsError

CANDIDATES: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "svm": (3e-4, 1e-3, 3e-3),
        "logreg": (3e-3, 1e-2, 3e-2),
        "gboost": (0.05, 0.1),
    }
)
"""What is tried on validation clips where ``c`` is not given: inverse penalties, or learning rates.

The best penalty lies in these ranges for 253 features and for layers of encoders alike; with few validation
speakers, a choice from a wider range is up to two points worse on speakers that are heard later.
"""

RATER_CANDIDATES: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "svm": (1e-3, 1e-2, 1e-1),
        "logreg": (1e-4, 1e-3, 1e-2),
        "gboost": (0.05, 0.1),
    }
)
"""The same for the regressions beside a classifier; they are always chosen, whatever ``c`` is."""

FOLDS: Final = 5
"""Parts of the training speakers whose held-out decisions give the svm its probabilities."""

_TREES: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "max_iter": 150,
        "max_leaf_nodes": 15,
        "max_bins": 63,
        "max_features": 0.2,
        "min_samples_leaf": 10,
        "l2_regularization": 1.0,
    }
)
"""How trees are grown, whether they classify or rate."""


def make_estimator(name: str, c: float, *, balanced: bool, seed: int, splits: Any = None) -> Any:
    """Build a classifier that is not fitted yet.

    Args:
        name: ``svm``, ``logreg`` or ``gboost``.
        c: inverse strength of the penalty, or the learning rate of ``gboost``.
        balanced: weight classes by inverse training frequency.
        seed: of what is drawn.
        splits: (training rows, held-out rows) for fitting the svm's probabilities; None fits them on
            scikit-learn's own five folds.

    Raises:
        SettingsError: no such classifier.
    """
    # half a second that whoever looks at the candidates alone does without
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    from ser_pipeline.models.svm import CalibratedSVC

    weights = "balanced" if balanced else None
    if name == "logreg":
        return LogisticRegression(C=c, class_weight=weights, max_iter=5_000, random_state=seed)
    if name == "svm":
        machine = LinearSVC(C=c, class_weight=weights, max_iter=20_000, random_state=seed)
        return CalibratedSVC(machine, method="sigmoid", cv=splits, ensemble=False)
    if name == "gboost":
        return HistGradientBoostingClassifier(
            learning_rate=c,
            early_stopping=False,  # its own held-out rows would be clips of the same speakers
            **_TREES,
            class_weight=weights,
            random_state=seed,
        )
    raise SettingsError(f"classifier '{name}' does not exist; valid are {', '.join(CANDIDATES)}")


def folds_by(
    targets: Int64s, speakers: Strings | None, seed: int, clips: Int64s | None = None
) -> list[tuple[Int64s, Int64s]]:
    """Folds of clips, no speaker on both sides; by clip with a single speaker, or where nobody is named.

    They are by clip, too, where a class would be missing from what a fold is fitted to.

    Args:
        targets: class numbers, shape ``(rows,)``.
        speakers: who speaks, shape ``(rows,)``; None where that is not known.
        seed: of the folds.
        clips: number of the clip that a row is or varies, shape ``(rows,)``; None if each is another.

    Returns:
        Numbers of the rows to fit and of those held out, fold by fold; none where a class has a single clip.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    _, first, clip = np.unique(np.arange(len(targets)) if clips is None else clips, True, True)
    smallest = int(np.unique(targets[first], return_counts=True)[1].min())
    people = 1 if speakers is None else len(np.unique(speakers))
    if smallest < 2:
        return []
    if people > 1:
        apart = StratifiedGroupKFold(min(FOLDS, smallest, people), shuffle=True, random_state=seed)
        found = [*apart.split(targets, targets, speakers)]
        classes = len(np.unique(targets))
        if all(len(np.unique(targets[fit])) == classes for fit, _ in found):
            return found
    plain = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=seed)
    parts = [np.isin(clip, held) for _, held in plain.split(first, targets[first])]
    return [(np.flatnonzero(~held), np.flatnonzero(held)) for held in parts]


def make_rater(name: str, c: float, *, seed: int) -> Any:
    """Build the regression that stands beside a classifier, not fitted yet.

    Args:
        name: of the classifier: ``logreg`` has ridge regression, ``svm`` a linear support vector regression,
            and ``gboost`` boosted trees.
        c: inverse strength of the penalty, or the learning rate of trees.
        seed: of what is drawn.

    Raises:
        SettingsError: no such classifier.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.svm import LinearSVR

    if name == "logreg":
        return Ridge(alpha=1 / c, random_state=seed)
    if name == "svm":
        return LinearSVR(C=c, max_iter=20_000, random_state=seed)
    if name == "gboost":
        return HistGradientBoostingRegressor(
            learning_rate=c, early_stopping=False, **_TREES, random_state=seed
        )
    raise SettingsError(f"classifier '{name}' does not exist; valid are {', '.join(RATER_CANDIDATES)}")
