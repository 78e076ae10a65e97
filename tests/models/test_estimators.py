import numpy as np
import pytest
import torch

from ser_pipeline.errors import SettingsError
from ser_pipeline.models import EstimatorNetwork, parameter_count
from ser_pipeline.models.estimators import CANDIDATES, fitted_numbers, make_estimator, make_rater


@pytest.fixture
def vectors(rng):
    targets = np.repeat([0, 1, 3], 20)
    return (rng.standard_normal((60, 6)) + targets[:, None]).astype(np.float32), targets


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_scores_are_logarithms_of_its_probabilities(vectors, name):
    values, targets = vectors
    estimator = make_estimator(name, 0.1, balanced=True, seed=0).fit(values, targets)
    network = EstimatorNetwork(estimator, 4)
    scores = network(torch.from_numpy(values), torch.ones(60))
    probabilities = scores.softmax(1).numpy()
    assert probabilities[:, [0, 1, 3]] == pytest.approx(estimator.predict_proba(values), abs=1e-5)
    assert probabilities[:, 2].max() < 1e-6  # never seen, never said
    assert parameter_count(network) == fitted_numbers(estimator) > 0


def test_linear_models_are_counted_by_hand(vectors):
    values, targets = vectors
    for name, expected in (("logreg", 3 * 7), ("svm", 3 * 7 + 2 * 3)):
        estimator = make_estimator(name, 0.1, balanced=False, seed=0).fit(values, targets)
        assert fitted_numbers(estimator) == expected


def test_the_same_seed_gives_the_same_trees(vectors):
    values, targets = vectors
    found = [make_estimator("gboost", 0.1, balanced=True, seed=seed).fit(values, targets) for seed in (3, 3)]
    assert np.array_equal(found[0].predict_proba(values), found[1].predict_proba(values))


def test_balance_moves_the_rare_class(rng):
    values = rng.standard_normal((110, 2)).astype(np.float32)
    targets = np.array([0] * 100 + [1] * 10)
    rare = [
        make_estimator("logreg", 1.0, balanced=balanced, seed=0).fit(values, targets).predict(values).sum()
        for balanced in (False, True)
    ]
    assert rare[0] < 10 < rare[1]


def test_no_clips_have_no_scores(vectors):
    network = EstimatorNetwork(make_estimator("logreg", 1.0, balanced=True, seed=0).fit(*vectors), 4)
    assert network(torch.zeros(0, 6), torch.zeros(0)).shape == (0, 4)


def test_other_classifiers_are_refused():
    with pytest.raises(SettingsError, match="classifier 'forest' does not exist; valid are svm, logreg"):
        make_estimator("forest", 1.0, balanced=True, seed=0)


@pytest.mark.parametrize("name", sorted(CANDIDATES))
def test_ratings_are_those_of_the_regressions_within_the_scale(vectors, name):
    values, targets = vectors
    classifier = make_estimator("logreg", 1.0, balanced=True, seed=0).fit(values, targets)
    wanted = (targets - 1.0, 5.0 * targets, values[:, 0])
    raters = [make_rater(name, 0.1, seed=0).fit(values, each) for each in wanted]
    network = EstimatorNetwork(classifier, 4, raters)
    rated = network.rate(torch.from_numpy(values)).numpy()
    plain = np.stack([each.predict(values) for each in raters], axis=1)
    assert network.rates
    assert rated == pytest.approx(np.clip(plain, -1, 1), abs=1e-6)
    assert rated.max() == 1.0 < plain.max()
    assert network.rate(torch.zeros(0, 6)).shape == (0, 3)
    assert parameter_count(network) == fitted_numbers(classifier) + sum(map(fitted_numbers, raters))


def test_other_regressions_are_refused():
    with pytest.raises(SettingsError, match="classifier 'forest' does not exist; valid are svm, logreg"):
        make_rater("forest", 1.0, seed=0)
