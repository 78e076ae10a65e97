"""scikit-learn's classifiers behind the interface of a network, and regressions beside them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor

from ser_pipeline.arrays import Float64s, Int64s, Strings
from ser_pipeline.errors import SettingsError
from ser_pipeline.models.network import Network
from ser_pipeline.options import BuiltFor, ModelOptions

LEAST_PROBABILITY: Final = 1e-7
"""Probabilities are raised to this before their logarithm is taken."""

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

TRUSTED: Final = (
    "ser_pipeline.models.svm.CalibratedSVC",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types beyond scikit-learn's public ones that a model file may hold; nothing else is ever loaded."""


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


class EstimatorNetwork(Network):
    """A fitted classifier; its class scores are logarithms of its probabilities.

    Args:
        estimator: has ``predict_proba`` and ``classes_``; None for a model that rates clips alone.
        n_classes: number of outputs; classes the estimator never saw get the least probability.
        raters: fitted regressions, one for each dimension; none for a model that does not rate.

    Attributes:
        fitted: the classifier, if there is one, and the regressions.
    """

    def __init__(self, estimator: Any, n_classes: int, raters: Sequence[Any] = ()) -> None:
        super().__init__()
        self.estimator = estimator
        self.classes = n_classes
        self.raters = tuple(raters)
        self.only_rates = estimator is None
        self.fitted = tuple(each for each in (estimator, *raters) if each is not None)

    @classmethod
    def from_options(cls, options: ModelOptions, n_inputs: BuiltFor, n_classes: int) -> Self:
        """An estimator that is not fitted yet."""
        c = options.c or CANDIDATES[options.name][0]
        return cls(make_estimator(options.name, c, balanced=True, seed=0), n_classes)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Logarithms of probabilities, shape ``(batch, classes)``."""
        probabilities = np.zeros((len(inputs), self.classes))
        if len(inputs):
            seen = np.asarray(self.estimator.classes_, np.int64)
            probabilities[:, seen] = self.estimator.predict_proba(inputs.cpu().numpy())
        logs = np.log(np.maximum(probabilities, LEAST_PROBABILITY)).astype(np.float32)
        return torch.from_numpy(logs).to(inputs.device)

    @property
    def rates(self) -> bool:
        """Whether it has regressions."""
        return bool(self.raters)

    def rate(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Ratings in [-1, 1], shape ``(batch, dimensions)``; see :meth:`Network.rate`."""
        if not self.raters:
            return super().rate(inputs, lengths, beside)
        columns = [each.predict(inputs.cpu().numpy()) if len(inputs) else [] for each in self.raters]
        rated = np.clip(np.stack([*map(np.asarray, columns)], axis=1), -1, 1).astype(np.float32)
        return torch.from_numpy(rated).to(inputs.device)


class LinearNetwork(Network):
    """A fitted ``logreg`` or ``svm`` in torch alone, told as by :class:`EstimatorNetwork`.

    Args:
        fitted: classifier and regressions behind the interface of a network.

    Raises:
        SettingsError: it consists of trees.
    """

    def __init__(self, fitted: EstimatorNetwork) -> None:
        super().__init__()
        estimator = fitted.estimator
        if any(
            not (hasattr(each, "coef_") or hasattr(each, "calibrated_classifiers_")) for each in fitted.fitted
        ):
            raise SettingsError("a classifier of trees is not a linear one")
        self.classes, self.only_rates = fitted.classes, fitted.only_rates
        lines = [np.append(each.coef_, each.intercept_) for each in fitted.raters]
        self.raters = torch.from_numpy(np.array(lines)).float()  # weights of each dimension, then its bias
        if estimator is None:
            return
        self._odds = not hasattr(estimator, "coef_")
        weights, bias = _odds(estimator) if self._odds else _scores(estimator)
        seen = np.asarray(estimator.classes_, np.int64)
        self.weights = torch.zeros(self.classes, weights.shape[1])
        self.weights[seen] = torch.from_numpy(weights).float()
        self.bias = torch.full((self.classes,), -1e9)  # a class it never saw gets the least probability
        self.bias[seen] = torch.from_numpy(bias).float()

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Logarithms of probabilities, shape ``(batch, classes)``."""
        scores = (self.weights @ inputs.T).T + self.bias
        shares = scores.sigmoid() / scores.sigmoid().sum(1, keepdim=True) if self._odds else scores.softmax(1)
        return shares.clamp(min=LEAST_PROBABILITY).log()

    @property
    def rates(self) -> bool:
        """Whether it has regressions."""
        return len(self.raters) > 0

    def rate(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Ratings in [-1, 1], shape ``(batch, dimensions)``; see :meth:`Network.rate`."""
        return ((self.raters[:, :-1] @ inputs.T).T + self.raters[:, -1]).clamp(-1, 1)


def _scores(estimator: Any) -> tuple[Float64s, Float64s]:
    """Weights and bias of a logistic regression; of two classes it keeps one, the other scores 0."""
    weights, bias = estimator.coef_, estimator.intercept_
    if len(weights) > 1:
        return weights, bias
    return np.concatenate([0 * weights, weights]), np.concatenate([0 * bias, bias])


def _odds(estimator: Any) -> tuple[Float64s, Float64s]:
    """Weights and bias of the log odds of each class, as the svm's scores are calibrated."""
    fitted = estimator.calibrated_classifiers_[0]
    slope = np.array([each.a_ for each in fitted.calibrators])
    offset = np.array([each.b_ for each in fitted.calibrators])
    weights = -slope[:, None] * fitted.estimator.coef_
    bias = -slope * fitted.estimator.intercept_ - offset
    return (
        (weights, bias) if len(weights) > 1 else (np.concatenate([-weights, weights]), np.append(-bias, bias))
    )


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
    # half a second that a network's prediction, which passes here on its way, does without
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


def fitted_numbers(estimator: Any) -> int:
    """How many numbers a fitted classifier consists of: weights, or thresholds and leaves of trees."""
    if hasattr(estimator, "calibrated_classifiers_"):
        inner = estimator.calibrated_classifiers_[0]
        return fitted_numbers(inner.estimator) + 2 * len(inner.calibrators)
    if hasattr(estimator, "coef_"):
        return int(estimator.coef_.size + np.size(estimator.intercept_))
    return int(sum(len(tree.nodes) for trees in getattr(estimator, "_predictors", ()) for tree in trees))
