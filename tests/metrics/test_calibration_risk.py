import numpy as np
import pytest

from ser_pipeline.metrics import risk_coverage, threshold_for_risk


def clips(rng, count=200, digits=6):
    """Probabilities, and classes that are drawn from them."""
    probabilities = rng.dirichlet(np.ones(3), count)
    targets = (probabilities.cumsum(1) > rng.random((count, 1))).argmax(1)
    return probabilities.round(digits), targets


def by_definition(probabilities, targets, threshold):
    answered = probabilities.max(1) >= threshold
    wrong = probabilities.argmax(1) != targets
    return answered.mean(), wrong[answered].mean()


@pytest.mark.parametrize("digits", [6, 1])  # with and without ties
def test_every_point_is_what_its_threshold_answers(rng, digits):
    probabilities, targets = clips(rng, digits=digits)
    curve = risk_coverage(probabilities, targets)
    assert (np.diff(curve.threshold) < 0).all()
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        assert (coverage, risk) == pytest.approx(by_definition(probabilities, targets, threshold))
    assert curve.coverage[-1] == 1


def test_the_area_is_the_mean_risk_of_answering_one_by_one(rng):
    probabilities, targets = clips(rng)
    order = np.argsort(-probabilities.max(1), kind="stable")
    wrong = (probabilities.argmax(1) != targets)[order]
    expected = np.mean([wrong[:number].mean() for number in range(1, 201)])
    assert risk_coverage(probabilities, targets).area == pytest.approx(expected)


def test_ties_count_as_if_answered_in_any_order(rng):
    probabilities, targets = clips(rng, count=12, digits=1)
    wrong, confidence = probabilities.argmax(1) != targets, probabilities.max(1)
    areas = []
    for _ in range(4000):
        order = np.lexsort((rng.random(12), -confidence))
        areas.append(np.mean(wrong[order].cumsum() / np.arange(1, 13)))
    assert risk_coverage(probabilities, targets).area == pytest.approx(np.mean(areas), abs=0.005)


def test_equal_confidence_has_the_risk_of_all():
    probabilities = np.array([[0.7, 0.3]] * 10)
    curve = risk_coverage(probabilities, [0] * 7 + [1] * 3)
    assert (curve.coverage.tolist(), curve.risk.tolist(), curve.area) == ([1], [0.3], pytest.approx(0.3))


def test_the_threshold_answers_as_many_as_the_risk_allows(rng):
    probabilities, targets = clips(rng)
    for wanted in (0.1, 0.2, 0.3):
        threshold, coverage = threshold_for_risk(probabilities, targets, wanted)
        answered, risk = by_definition(probabilities, targets, threshold)
        assert answered == pytest.approx(coverage)
        assert risk <= wanted
        lower = [value for value in probabilities.max(1) if value < threshold]
        assert all(by_definition(probabilities, targets, value)[1] > wanted for value in lower)


def test_a_risk_that_is_just_as_wanted_is_low_enough():
    assert threshold_for_risk([[0.9, 0.1], [0.8, 0.2]], [0, 1], wanted=0.5) == (0.8, 1.0)


def test_a_risk_that_cannot_be_had_has_no_threshold():
    assert threshold_for_risk([[0.9, 0.1], [0.8, 0.2]], [1, 0], wanted=0.2) is None


def test_no_clips_have_no_curve():
    curve = risk_coverage(np.zeros((0, 3)), [])
    assert [len(part) for part in (curve.threshold, curve.coverage, curve.risk)] == [0, 0, 0]
    assert curve.area == 0
    assert threshold_for_risk(np.zeros((0, 3)), [], wanted=0.5) is None
