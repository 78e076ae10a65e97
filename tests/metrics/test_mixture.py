import numpy as np
import pytest
from scipy.optimize import minimize

from ser_pipeline.metrics import mixture_weights
from ser_pipeline.metrics.mixture import PULL_CLIPS


def said(rng, models=3, clips=200, classes=4):
    probabilities = rng.dirichlet(np.ones(classes), (models, clips))
    return probabilities, rng.integers(0, classes, clips)


def test_weights_are_those_of_a_general_optimiser(rng):
    probabilities, targets = said(rng)
    counts = np.bincount(targets)
    counted = len(targets) / (4 * counts[targets])
    likely = probabilities[:, np.arange(len(targets)), targets]

    def loss(free):
        weights = np.exp(free) / np.exp(free).sum()
        return -(counted * np.log(weights @ likely)).sum() - PULL_CLIPS / 3 * np.log(weights).sum()

    best = minimize(loss, np.zeros(3), tol=1e-12).x
    expected = np.exp(best) / np.exp(best).sum()
    found = mixture_weights(probabilities, targets)
    assert found == pytest.approx(expected, abs=1e-4)
    assert found.sum() == pytest.approx(1)


def test_without_clips_all_count_alike():
    assert mixture_weights(np.zeros((4, 0, 3)), []).tolist() == [0.25] * 4


def test_equal_models_count_alike(rng):
    probabilities, targets = said(rng, models=1)
    twice = np.concatenate([probabilities, probabilities])
    assert mixture_weights(twice, targets) == pytest.approx([0.5, 0.5])


def test_the_more_clips_the_less_equal(rng):
    targets = rng.integers(0, 3, 400)
    good = 0.8 * np.eye(3)[targets] + 0.2 / 3
    poor = np.full((400, 3), 1 / 3)
    few, many = (mixture_weights([good[:n], poor[:n]], targets[:n])[0] for n in (10, 400))
    assert 0.5 < few < many < 1


def test_a_true_class_that_nobody_thought_possible_breaks_nothing():
    found = mixture_weights([[[1.0, 0.0]], [[1.0, 0.0]]], [1])
    assert found == pytest.approx([0.5, 0.5])


def test_classes_count_alike():
    first = [[0.9, 0.1]] * 90 + [[0.9, 0.1]] * 10
    second = [[0.5, 0.5]] * 90 + [[0.1, 0.9]] * 10
    weights = mixture_weights([first, second], [0] * 90 + [1] * 10)
    assert weights[1] > weights[0]  # by the ten clips of the rare class
