"""A linear support vector machine and its probabilities: the machines of all folds are fitted in one go.

The machine is scikit-learn's ``LinearSVC``, and so are its scores: the squared hinge loss, a penalty that the
bias shares, each class against all others. Calibration wants it fitted to each fold as well. Each fit alone
reads the clips anew in liblinear; here those of all folds and classes are the columns of one matrix, which
conjugate gradients bring to the minimum together. Where a penalty is so weak that they do not get there,
liblinear does it.
"""

from collections.abc import Callable
from typing import Any, Final, Self

import numpy as np
from scipy.linalg import cho_factor, get_lapack_funcs, solve_triangular
from sklearn.calibration import CalibratedClassifierCV, _CalibratedClassifier, _SigmoidCalibration
from sklearn.model_selection import check_cv
from sklearn.svm import LinearSVC
from sklearn.utils.validation import validate_data

from ser_pipeline.arrays import Floats, Int64s

TOLERANCE: Final = 1e-6
"""A fit ends where what is minimised can fall by no more than about this share of itself."""

TINY: Final = np.float32(1e-30)
"""What nothing is divided by less than."""

STEPS: Final = 200
"""Most steps of a fit; a tenth of them is usual."""


class CalibratedSVC(CalibratedClassifierCV):  # type: ignore[misc]  # scikit-learn has no types
    """``CalibratedClassifierCV`` of a ``LinearSVC`` with ``ensemble=False``, fitted faster."""

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's names
        """Fit machine and probabilities.

        Args:
            X: vectors, shape ``(clips, columns)``.
            y: classes, shape ``(clips,)``.

        Raises:
            ValueError: numbers that are not finite, a single class, or folds that lack one.
        """
        values, y = validate_data(self, X, y, dtype=[np.float32, np.float64])
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"needs two classes or more, found {self.classes_}")
        folds = [*check_cv(self.cv, y, classifier=True).split(values, y)]
        signs, costs = self._problems(numbers, [np.arange(len(y)), *(fit for fit, _ in folds)])
        of_one = signs.shape[1] // (1 + len(folds))
        kind = values.dtype  # single precision, where the clips have no more, takes half the time
        values = np.column_stack([values, np.ones(len(values), kind)])
        try:
            weights, scores = fit_margins(values, signs.astype(kind), costs.astype(kind), leading=of_one)
        except np.linalg.LinAlgError:
            super().fit(X, y)
            return self
        held = np.empty((len(y), of_one))
        for number, (_, rows) in enumerate(folds, 1):
            held[rows] = scores[rows, number * of_one : (number + 1) * of_one]
        machine = self._machine(weights[:, :of_one])
        targets = (numbers[:, None] == self._positive).astype(int)
        curves = [_SigmoidCalibration().fit(*pair) for pair in zip(held.T, targets.T, strict=True)]
        fitted = _CalibratedClassifier(machine, curves, classes=self.classes_, method="sigmoid")
        self.calibrated_classifiers_ = [fitted]
        return self

    @property
    def _positive(self) -> Int64s:
        """Numbers of the classes that are told from the others; of two, the second."""
        return np.arange(len(self.classes_)) if len(self.classes_) > 2 else np.array([1])

    def _problems(self, numbers: Int64s, parts: list[Int64s]) -> tuple[Floats, Floats]:
        """Sides of the clips, -1 or 1, and what a clip on the wrong one costs, for each part and class.

        As in liblinear, a clip of the class itself costs its weight, one of the others 1; of two classes
        each has its weight.
        """
        signs = np.where(numbers[:, None] == self._positive, 1.0, -1.0)
        kinds, costs = len(self.classes_), []
        for rows in parts:
            counts = np.bincount(numbers[rows], minlength=kinds)
            if not counts.all():
                raise ValueError("a fold to fit lacks a class")
            weigh = len(rows) / (kinds * counts) if self.estimator.class_weight else np.ones(kinds)
            rest = weigh[0] if kinds == 2 else 1.0
            cost = np.zeros_like(signs)
            cost[rows] = np.where(signs[rows] > 0, weigh[self._positive], rest)
            costs.append(self.estimator.C * cost)
        return np.tile(signs, len(parts)), np.concatenate(costs, axis=1)

    def _machine(self, weights: Floats) -> LinearSVC:
        machine = LinearSVC(**self.estimator.get_params())
        machine.classes_, machine.n_features_in_ = self.classes_, len(weights) - 1
        machine.coef_, machine.intercept_ = np.ascontiguousarray(weights[:-1].T), weights[-1].copy()
        return machine


def fit_margins(
    values: Floats, signs: Floats, costs: Floats, *, leading: int | None = None
) -> tuple[Floats, Floats]:
    """Minimise ``|w|^2 / 2 + sum costs max(0, 1 - signs (values w))^2`` for many problems at once.

    Args:
        values: of clips, shape ``(clips, columns)``.
        signs: of clips in each problem, -1 or 1, shape ``(clips, problems)``.
        costs: likewise; 0 leaves a clip out.
        leading: so many problems are solved first, and all groups of so many others begin where they end;
            None solves all at once.

    Returns:
        ``w`` of each problem, shape ``(columns, problems)``, and ``values w``, ``(clips, problems)``.

    Raises:
        LinAlgError: the minimum of a problem is out of reach: its costs are too large.
    """
    few, among = len(values) < values.shape[1], values
    if few:  # no w has a part that is orthogonal to all clips, so that as many numbers as clips tell it
        exact = np.asarray(values, np.float64)
        among = exact @ exact.T
        among[np.diag_indices_from(among)] += 1e-9 * max(among.trace() / len(among), 1e-300)
        among = triangle = np.linalg.cholesky(among)
        among = among.astype(values.dtype)
    near = _solver(among, float(costs.max()))
    count = leading or signs.shape[1]
    first, rest = slice(0, count), slice(count, None)
    weights = _descend(among, near, signs[:, first], costs[:, first])
    others = np.tile(weights, signs.shape[1] // count - 1)
    if others.size:
        others = _descend(among, near, signs[:, rest], costs[:, rest], others)
    weights = np.concatenate([weights, others], axis=1)
    scores = among @ weights
    return (values.T @ solve_triangular(triangle, weights, lower=True, trans="T") if few else weights), scores


def _descend(
    values: Floats,
    near: Callable[[Floats], Floats],
    signs: Floats,
    costs: Floats,
    start: Floats | None = None,
) -> Floats:
    """Conjugate gradients, scaled by the curvature where every clip counts."""
    weights = np.zeros((values.shape[1], signs.shape[1]), values.dtype) if start is None else start
    scores = values @ weights
    slope, loss = _slope(values, weights, scores, signs, costs)
    scaled = near(slope)
    promised = (slope * scaled).sum(0)
    way = -scaled
    for _ in range(STEPS):
        if (promised <= TOLERANCE * loss).all():
            break
        along = values @ way
        length = _length(weights, scores, way, along, signs, costs)
        weights, scores = weights + length * way, scores + length * along
        before, earlier = slope, promised
        slope, loss = _slope(values, weights, scores, signs, costs)
        scaled = near(slope)
        promised = (slope * scaled).sum(0)
        turned = np.maximum(0, (promised - (before * scaled).sum(0)) / np.maximum(earlier, TINY))
        way = turned * way - scaled
    # what can be won is at most half the square of the slope, as the penalty alone bends by 1
    if not ((promised <= TOLERANCE * loss) & (np.square(slope).sum(0) <= loss)).all():
        raise np.linalg.LinAlgError("the minimum is out of reach")
    return weights


def _solver(values: Floats, cost: float) -> Callable[[Floats], Floats]:
    """What divides by the curvature of a problem in which every clip costs the same."""
    curvature = 2 * cost * (values.T @ values)
    curvature[np.diag_indices_from(curvature)] += 1
    factor, lower = cho_factor(curvature, overwrite_a=True, check_finite=False)
    invert: Any = get_lapack_funcs("potri", (factor,))
    upper = np.triu(invert(factor, lower=lower)[0])
    inverse = upper + np.triu(upper, 1).T
    return lambda slope: inverse @ slope


def _slope(
    values: Floats, weights: Floats, scores: Floats, signs: Floats, costs: Floats
) -> tuple[Floats, Floats]:
    """Gradient of each problem, ``(columns, problems)``, and what it is minimised to, ``(problems,)``."""
    lacking = np.maximum(0, 1 - signs * scores)
    loss = 0.5 * np.square(weights).sum(0) + (costs * np.square(lacking)).sum(0)
    return weights - 2 * (values.T @ (costs * signs * lacking)), loss


def _length(
    weights: Floats, scores: Floats, way: Floats, along: Floats, signs: Floats, costs: Floats
) -> Floats:
    """How far each problem falls along its way, ``(problems,)``: Newton's steps to the lowest point."""
    first, second = (weights * way).sum(0), np.square(way).sum(0)
    length: Floats = np.zeros_like(first)
    for _ in range(4):
        lacking = 1 - signs * (scores + length * along)
        pressed = np.where(lacking > 0, costs, 0)
        slope = first + length * second - 2 * (pressed * lacking * signs * along).sum(0)
        bend = second + 2 * (pressed * np.square(along)).sum(0)
        length -= slope / np.maximum(bend, TINY)
    return length
