import numpy as np
import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.models.estimators import make_estimator, make_rater


@pytest.fixture
def vectors(rng):
    targets = np.repeat([0, 1, 3], 20)
    return (rng.standard_normal((60, 6)) + targets[:, None]).astype(np.float32), targets


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


def test_other_classifiers_are_refused():
    with pytest.raises(SettingsError, match="classifier 'forest' does not exist; valid are svm, logreg"):
        make_estimator("forest", 1.0, balanced=True, seed=0)


def test_other_regressions_are_refused():
    with pytest.raises(SettingsError, match="classifier 'forest' does not exist; valid are svm, logreg"):
        make_rater("forest", 1.0, seed=0)
