"""Fitted classifiers and regressions as networks: plain numbers, for which nothing needs scikit-learn.

What scikit-learn fitted is turned into weights of lines, or into the nodes of trees, and says the same.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_pipeline.arrays import Float32s, Float64s, Floats, Int64s
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.metrics.ratings import LEAST_PROBABILITY
from ser_pipeline.models.network import Network
from ser_pipeline.options import BuiltFor, ModelOptions

NEVER: Final = -1e9
"""Score of a class that the training clips lacked."""

DEEPEST: Final = 100
"""Most levels of a tree: those that are fitted have 15 leaves, and so 14 at most."""


class Lines(nn.Module):
    """A weighted sum of the columns for each output.

    Args:
        weight: shape ``(outputs, columns)``.
        bias: shape ``(outputs,)``.
    """

    def __init__(self, weight: Floats, bias: Floats) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weight).float())
        self.bias = nn.Parameter(torch.from_numpy(bias).float())
        self.outputs = len(bias)

    @classmethod
    def unfitted(cls, columns: int, outputs: int) -> Self:
        """Lines that say 0."""
        return cls(np.zeros((outputs, columns)), np.zeros(outputs))

    @classmethod
    def of(cls, fitted: Sequence[Any], outputs: int, told: Int64s) -> Self:
        """The lines that scikit-learn fitted.

        Args:
            fitted: one classifier, or the regressions.
            outputs: how many there are.
            told: numbers of the outputs that were fitted.
        """
        lines = [_odds(each) if _is_calibrated(each) else (each.coef_, each.intercept_) for each in fitted]
        weight = np.concatenate([np.atleast_2d(each) for each, _ in lines])
        bias = np.concatenate([np.atleast_1d(each) for _, each in lines])
        if len(bias) < len(told):  # of two classes, scikit-learn keeps the second one's line alone
            other = -1 if _is_calibrated(fitted[0]) else 0
            weight, bias = np.concatenate([other * weight, weight]), np.concatenate([other * bias, bias])
        every = cls(np.zeros((outputs, weight.shape[1])), np.full(outputs, NEVER))
        with torch.no_grad():
            every.weight[told] = torch.from_numpy(weight).float()
            every.bias[told] = torch.from_numpy(bias).float()
        return every

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, columns) -> (batch, outputs)``."""
        return (self.weight @ inputs.T).T + self.bias


def _is_calibrated(estimator: Any) -> bool:
    """Whether a classifier states odds of each class against all others, as the svm does."""
    return hasattr(estimator, "calibrated_classifiers_")


def _odds(estimator: Any) -> tuple[Float64s, Float64s]:
    """Weights and bias of the log odds of each class, as the svm's scores are calibrated."""
    fitted = estimator.calibrated_classifiers_[0]
    slope = np.array([each.a_ for each in fitted.calibrators])
    offset = np.array([each.b_ for each in fitted.calibrators])
    return -slope[:, None] * fitted.estimator.coef_, -slope * fitted.estimator.intercept_ - offset


class Trees(nn.Module):
    """The sum of what many trees say, for each output.

    A leaf is its own child, so that a clip which has come to it stays.

    Args:
        columns: of a vector.
        nodes: of all trees: the column that each looks at, and the numbers of the nodes that follow on its
            left and right, shape ``(nodes, 3)``.
        number: the largest value that goes left; of a leaf, what it says; shape ``(nodes,)``.
        roots: of each tree: its first node, and the output that it adds to, shape ``(trees, 2)``.
        start: what each output is without trees, shape ``(outputs,)``.

    Raises:
        ValueError: the numbers are not those of trees.
    """

    nodes: Tensor
    roots: Tensor

    def __init__(self, columns: int, nodes: Tensor, number: Tensor, roots: Tensor, start: Tensor) -> None:
        super().__init__()
        self.register_buffer("nodes", nodes)
        self.register_buffer("roots", roots)
        self.number = nn.Parameter(number)
        self.start = nn.Parameter(start)
        self.columns, self.outputs = columns, len(start)
        self.depth = self._depth()

    @classmethod
    def unfitted(cls, columns: int, outputs: int) -> Self:
        """A tree of one leaf that says 0."""
        nodes, roots = (torch.zeros(1, width, dtype=torch.int64) for width in (3, 2))
        return cls(columns, nodes, torch.zeros(1), roots, torch.zeros(outputs))

    @classmethod
    def of(cls, fitted: Sequence[Any], outputs: int, told: Int64s) -> Self:
        """The trees that scikit-learn grew; arguments as for :meth:`Lines.of`."""
        begins = np.concatenate([each._baseline_prediction.ravel() for each in fitted])
        start = torch.full((outputs,), NEVER)
        start[told] = 0.0
        told = told[-len(begins) :]  # of two classes, scikit-learn grows trees for the second one alone
        start[told] = torch.from_numpy(begins).float()
        nodes, numbers, roots, size = list[Int64s](), list[Float32s](), list[tuple[int, int]](), 0
        for output, tree in _by_output(fitted):
            grown, own = tree.nodes, np.arange(len(tree.nodes))
            leaf = grown["is_leaf"].astype(bool)
            left, right = (np.where(leaf, own, grown[side]) + size for side in ("left", "right"))
            nodes.append(np.stack([grown["feature_idx"], left, right], axis=1).astype(np.int64))
            numbers.append(np.where(leaf, grown["value"].astype(np.float32), _below(grown["num_threshold"])))
            roots.append((size, int(told[output])))
            size += len(grown)
        table, number = torch.from_numpy(np.concatenate(nodes)), torch.from_numpy(np.concatenate(numbers))
        return cls(fitted[0].n_features_in_, table, number, torch.tensor(roots), start)

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """``(batch, columns) -> (batch, outputs)``."""
        column, left, right = self.nodes.T
        node = self.roots[:, 0].expand(len(inputs), -1)
        for _ in range(max(1, self.depth)):  # a graph of leaves alone would have no input
            low = inputs.gather(1, column[node]) <= self.number[node]
            node = torch.where(low, left[node], right[node])
        adds = F.one_hot(self.roots[:, 1], self.outputs).T.float()
        return (adds @ self.number[node].T).T + self.start

    def loaded(self, state: Mapping[str, Tensor]) -> "Trees":
        """Trees of other sizes for the same columns and outputs.

        Args:
            state: their numbers by name.

        Raises:
            ValueError: they are not those of trees, or of other outputs.
        """
        if {*state} != {*self.state_dict()} or state["start"].shape != self.start.shape:
            raise ValueError(f"its trees are not those of {self.outputs} outputs")
        return Trees(self.columns, **state)

    def _depth(self) -> int:
        """How many steps lead from the first node of a tree to its last leaf at most."""
        nodes, trees = len(self.nodes), len(self.roots)
        tables = {
            "nodes": (self.nodes, (nodes, 3), torch.int64),
            "number": (self.number, (nodes,), torch.float32),
            "roots": (self.roots, (trees, 2), torch.int64),
            "start": (self.start, (self.outputs,), torch.float32),
        }
        for name, (values, shape, kind) in tables.items():
            if values.shape != shape or values.dtype != kind or not values.numel():
                found = f"{values.dtype} of shape {tuple(values.shape)}"
                raise ValueError(
                    f"the table of trees '{name}' must be {kind} of shape {shape}, found {found}"
                )
        (column, left, right), (root, output) = self.nodes.numpy().T, self.roots.numpy().T
        own = np.arange(nodes)
        leaf = (left == own) & (right == own)
        if (
            ((column < 0) | (column >= self.columns)).any()
            or not (leaf | ((left > own) & (right > own))).all()
            or max(left.max(), right.max(), root.max()) >= nodes
            or min(root.min(), output.min()) < 0
            or output.max() >= self.outputs
        ):
            raise ValueError("its table of trees has nodes or outputs that do not exist")
        depth, here = 0, np.unique(root)
        while len(here := here[~leaf[here]]):
            if depth == DEEPEST:
                raise ValueError(f"its trees are deeper than {DEEPEST} levels")
            depth, here = depth + 1, np.unique(np.concatenate([left[here], right[here]]))
        return depth


def _by_output(fitted: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Trees of several fits, with the position of the class or regression that each is for."""
    before = 0
    for each in fitted:
        for grown in each._predictors:
            yield from enumerate(grown, before)
        before += each._baseline_prediction.size


def _below(limits: Float64s) -> Float32s:
    """The largest float32 values that are not above given float64 values."""
    near = limits.astype(np.float32)
    return np.where(near > limits, np.nextafter(near, np.float32(-np.inf)), near)


_KINDS: Final[Mapping[str, type[Lines] | type[Trees]]] = MappingProxyType(
    {"svm": Lines, "logreg": Lines, "gboost": Trees}
)
"""What each model consists of."""


class EstimatorNetwork(Network):
    """What scikit-learn fitted; its class scores are logarithms of its probabilities.

    Args:
        name: of the model.
        scores: from vectors to class scores, or, of a model that rates clips alone, to ratings.

    Attributes:
        ratings: from vectors to valence, arousal and dominance; None for a model that does not rate as well.
    """

    ratings: Lines | Trees | None

    def __init__(self, name: str, scores: Lines | Trees) -> None:
        super().__init__()
        self.scores, self.ratings = scores, None
        self.classes = scores.outputs
        self.odds = name == "svm"  # it tells each class from all others

    @classmethod
    def from_options(cls, options: ModelOptions, n_inputs: BuiltFor, n_classes: int) -> Self:
        """One that is not fitted yet and says 0."""
        if not isinstance(n_inputs, int):
            raise TypeError("a classifier learns from vectors")
        kind, columns = _KINDS[options.name], n_inputs
        made = cls(options.name, kind.unfitted(columns, n_classes))
        made.ratings = kind.unfitted(columns, len(DIMENSIONS)) if options.dimensions else None
        return made

    @classmethod
    def of(cls, name: str, classifier: Any, n_classes: int) -> Self:
        """What a classifier says.

        Args:
            name: of the model.
            classifier: fitted by scikit-learn.
            n_classes: number of outputs; classes that it never saw get the least probability.
        """
        return cls(name, _KINDS[name].of([classifier], n_classes, np.asarray(classifier.classes_, np.int64)))

    @classmethod
    def rating(cls, name: str, raters: Sequence[Any]) -> Self:
        """What regressions say, one for each dimension; arguments as for :meth:`of`."""
        made = cls(name, ratings_of(name, raters))
        made.only_rates = True
        return made

    def forward(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Logarithms of probabilities, shape ``(batch, classes)``."""
        scores: Tensor = self.scores(inputs)
        scores = F.logsigmoid(scores) if self.odds else scores
        return scores.log_softmax(1).clamp(min=math.log(LEAST_PROBABILITY))

    @property
    def rates(self) -> bool:
        """Whether it has regressions."""
        return self.only_rates or self.ratings is not None

    def rate(self, inputs: Tensor, lengths: Tensor | None = None, beside: Tensor | None = None) -> Tensor:
        """Ratings in [-1, 1], shape ``(batch, dimensions)``; see :meth:`Network.rate`."""
        ratings = self.scores if self.only_rates else self.ratings
        if ratings is None:
            return super().rate(inputs, lengths, beside)
        rated: Tensor = ratings(inputs).clamp(-1, 1)
        return rated

    def load_fitted(self, state: Mapping[str, Tensor]) -> None:
        """Take what :meth:`fitted_state` gave, with any number of trees.

        Raises:
            RuntimeError: it is of another model; likewise ValueError.
        """
        for name, part in [*self.named_children()]:
            if isinstance(part, Trees):
                own = [key for key in state if key.startswith(f"{name}.")]
                setattr(self, name, part.loaded({key.removeprefix(f"{name}."): state[key] for key in own}))
        super().load_fitted(state)


def ratings_of(name: str, raters: Sequence[Any]) -> Lines | Trees:
    """What the regressions of a model say, one for each dimension."""
    return _KINDS[name].of(raters, len(raters), np.arange(len(raters)))
