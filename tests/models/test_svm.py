import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import LinearSVC

from ser_pipeline.models.svm import CalibratedSVC, fit_margins


def made(rng, clips, columns, classes, kind=np.float64):
    targets = rng.permutation(np.arange(clips) % (classes + 1) % classes)  # the first one is more frequent
    means = rng.standard_normal((classes, columns))
    return (means[targets] + 2 * rng.standard_normal((clips, columns))).astype(kind), targets


def both(c, weights, folds=4):
    machine = LinearSVC(C=c, class_weight=weights, max_iter=100_000, tol=1e-7, random_state=0)
    given = {"method": "sigmoid", "cv": folds, "ensemble": False}
    return CalibratedSVC(machine, **given), CalibratedClassifierCV(machine, **given)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("clips", "columns"), [(200, 12), (60, 150)])
@pytest.mark.parametrize("weights", [None, "balanced"])
@pytest.mark.parametrize("c", [3e-3, 0.3])
def test_it_is_scikit_learns_machine_and_its_probabilities(rng, classes, clips, columns, weights, c):
    values, targets = made(rng, clips, columns, classes)
    ours, theirs = (each.fit(values, targets) for each in both(c, weights))
    found, expected = (each.calibrated_classifiers_[0].estimator for each in (ours, theirs))
    largest = np.abs(expected.coef_).max()
    assert found.coef_ == pytest.approx(expected.coef_, abs=1e-2 * largest)
    assert found.intercept_ == pytest.approx(expected.intercept_, abs=1e-2 * largest)
    assert ours.predict_proba(values) == pytest.approx(theirs.predict_proba(values), abs=5e-3)


def test_single_precision_gives_the_same(rng):
    values, targets = made(rng, 150, 40, 3, np.float32)
    single = both(0.01, "balanced")[0].fit(values, targets)
    double = both(0.01, "balanced")[0].fit(values.astype(np.float64), targets)
    assert single.predict_proba(values) == pytest.approx(double.predict_proba(values), abs=2e-3)


def test_columns_of_very_different_scales_and_copies_of_clips_are_no_trouble(rng):
    values, targets = made(rng, 40, 60, 2)
    values, targets = np.tile(values * np.logspace(-3, 3, 60), (2, 1)), np.tile(targets, 2)
    ours, theirs = (each.fit(values, targets) for each in both(0.01, None))
    assert (ours.predict(values) == theirs.predict(values)).all()


@pytest.mark.parametrize("twice", [False, True])
def test_a_penalty_too_weak_for_gradients_is_left_to_liblinear(rng, twice):
    values, targets = made(rng, 120, 10, 2, np.float32)
    values += 2 * targets[:, None]
    values = np.column_stack([values, values]) if twice else values
    with pytest.raises(np.linalg.LinAlgError):
        fit_margins(values, np.where(targets, 1.0, -1.0)[:, None], np.full((120, 1), 1e5))
    ours, theirs = (each.fit(values, targets) for each in both(1e5, None))
    assert np.array_equal(ours.predict_proba(values), theirs.predict_proba(values))


def test_names_of_classes_are_kept(rng):
    values, targets = made(rng, 60, 5, 3)
    names = np.array(["fear", "anger", "joy"])[targets]
    assert [*both(0.1, None)[0].fit(values, names).classes_] == ["anger", "fear", "joy"]


def test_clips_that_cannot_be_learned_from_are_refused(rng):
    values, targets = made(rng, 40, 5, 2)
    with pytest.raises(ValueError, match="needs two classes or more, found"):
        both(0.1, None)[0].fit(values, np.zeros(40, int))
    split = [(np.flatnonzero(targets == 0), np.flatnonzero(targets == 1))]
    with pytest.raises(ValueError, match="a fold to fit lacks a class"):
        both(0.1, None, split)[0].fit(values, targets)
    with pytest.raises(ValueError, match="NaN"):
        both(0.1, None)[0].fit(np.full_like(values, np.nan), targets)


def test_all_problems_at_once_are_each_as_alone(rng):
    values = rng.standard_normal((50, 8))
    signs = np.sign(rng.standard_normal((50, 6)))
    costs = rng.uniform(0, 0.1, (50, 6))
    together, scores = fit_margins(values, signs, costs, leading=2)
    assert scores == pytest.approx(values @ together)
    for number in range(6):
        alone, _ = fit_margins(values, *(each[:, number : number + 1] for each in (signs, costs)))
        assert together[:, [number]] == pytest.approx(alone, abs=2e-3 * np.abs(alone).max())
