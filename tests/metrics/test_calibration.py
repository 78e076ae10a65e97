import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from ser_pipeline.metrics import (
    expected_calibration_error,
    fit_temperature,
    mixture_weights,
    reliability,
    risk_coverage,
    temper,
    threshold_for_risk,
)
from ser_pipeline.metrics.calibration import PRIOR_CLIPS, PULL_CLIPS, RANGE


def error_by_definition(probabilities, targets, bins=15):
    confidence, decided = probabilities.max(1), probabilities.argmax(1)
    total = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            gap = abs((decided == targets)[inside].mean() - confidence[inside].mean())
            total += inside.mean() * gap
    return total


def test_equals_its_definition(rng):
    probabilities = rng.dirichlet(np.ones(4), 500)
    right, unsure = probabilities.argmax(1), probabilities.max(1) < 0.6
    targets = np.where(unsure, right, 3 - right)  # too sure in some bins, and not in others
    found = [expected_calibration_error(probabilities, targets, *bins) for bins in ((), (3,), (1,))]
    assert found == pytest.approx([error_by_definition(probabilities, targets, bins) for bins in (15, 3, 1)])
    assert len(np.unique(np.round(found, 3))) == 3


def test_sure_and_right_is_calibrated_sure_and_wrong_is_not():
    assert expected_calibration_error(np.eye(3), [0, 1, 2]) == 0
    assert expected_calibration_error(np.eye(3), [1, 2, 0]) == 1


def test_no_clips_are_calibrated_and_fill_no_bin():
    assert expected_calibration_error(np.zeros((0, 4)), []) == 0
    found = reliability(np.zeros((0, 4)), [])
    assert [len(part) for part in (found.confidence, found.accuracy, found.clips)] == [0, 0, 0]


def test_a_confidence_that_rounding_takes_beyond_one_is_in_the_last_bin():
    assert reliability([[0.99, 0.01], [1 + 1e-7, 0.0]], [0, 0]).clips.tolist() == [2]


def test_bins_hold_every_clip_and_are_closed_above(rng):
    probabilities = rng.dirichlet(np.ones(4), 500)
    targets = rng.integers(0, 4, 500)
    found = reliability(probabilities, targets)
    assert found.clips.sum() == 500
    assert found.error == expected_calibration_error(probabilities, targets)
    assert (found.clips * found.accuracy).sum() == pytest.approx((probabilities.argmax(1) == targets).sum())
    assert reliability([[0.5, 0.5], [0.5, 0.5001]], [0, 0], bins=2).confidence.tolist() == [0.5, 0.5001]


def clips(rng, count=200, digits=6):
    """Probabilities, and classes that are drawn from them."""
    probabilities = rng.dirichlet(np.ones(3), count)
    targets = (probabilities.cumsum(1) > rng.random((count, 1))).argmax(1)
    return probabilities.round(digits), targets


def point_by_definition(probabilities, targets, threshold):
    answered = probabilities.max(1) >= threshold
    wrong = probabilities.argmax(1) != targets
    return answered.mean(), wrong[answered].mean()


@pytest.mark.parametrize("digits", [6, 1])  # with and without ties
def test_every_point_is_what_its_threshold_answers(rng, digits):
    probabilities, targets = clips(rng, digits=digits)
    curve = risk_coverage(probabilities, targets)
    assert (np.diff(curve.threshold) < 0).all()
    for threshold, coverage, risk in zip(curve.threshold, curve.coverage, curve.risk, strict=True):
        assert (coverage, risk) == pytest.approx(point_by_definition(probabilities, targets, threshold))
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
        answered, risk = point_by_definition(probabilities, targets, threshold)
        assert answered == pytest.approx(coverage)
        assert risk <= wanted
        lower = [value for value in probabilities.max(1) if value < threshold]
        assert all(point_by_definition(probabilities, targets, value)[1] > wanted for value in lower)


def test_a_risk_that_is_just_as_wanted_is_low_enough():
    assert threshold_for_risk([[0.9, 0.1], [0.8, 0.2]], [0, 1], wanted=0.5) == (0.8, 1.0)


def test_a_risk_that_cannot_be_had_has_no_threshold():
    assert threshold_for_risk([[0.9, 0.1], [0.8, 0.2]], [1, 0], wanted=0.2) is None


def test_no_clips_have_no_curve():
    curve = risk_coverage(np.zeros((0, 3)), [])
    assert [len(part) for part in (curve.threshold, curve.coverage, curve.risk)] == [0, 0, 0]
    assert curve.area == 0
    assert threshold_for_risk(np.zeros((0, 3)), [], wanted=0.5) is None


def overconfident(rng, temperature, clips=4000):
    """Probabilities sharpened by a temperature, and classes drawn from the honest ones."""
    logits = rng.normal(0, 1.5, (clips, 4))
    honest = softmax(logits, axis=1)
    targets = (honest.cumsum(1) > rng.random((clips, 1))).argmax(1)
    return softmax(logits * temperature, axis=1), targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_what_was_sharpened_is_found(rng, temperature):
    assert fit_temperature(*overconfident(rng, temperature)) == pytest.approx(temperature, rel=0.06)


def test_at_the_best_temperature_mean_logits_agree(rng):
    # d NLL / d (1 / T) = 0: the mean logit of the true class is what the probabilities expect
    probabilities, targets = overconfident(rng, 3.0, clips=300)
    tempered, logits = temper(probabilities, fit_temperature(probabilities, targets)), np.log(probabilities)
    truth, usual = logits[np.arange(300), targets].mean(), (probabilities * logits).sum(1).mean()
    wanted = (300 * truth + PRIOR_CLIPS * usual) / (300 + PRIOR_CLIPS)
    assert wanted == pytest.approx((tempered * logits).sum(1).mean(), abs=1e-4)


def test_few_clips_that_are_right_by_chance_make_no_model_sure():
    probabilities = np.full((3, 4), 0.4 / 3)
    probabilities[:, 0] = 0.6
    assert fit_temperature(probabilities, [0, 0, 0]) > 0.6
    assert fit_temperature(np.repeat(probabilities, 40, axis=0), [0] * 120) < 0.3


def test_calibration_improves_on_other_clips_and_no_decision_changes(rng):
    temperature = fit_temperature(*overconfident(rng, 2.5))
    probabilities, targets = overconfident(rng, 2.5)
    tempered = temper(probabilities, temperature)
    before = expected_calibration_error(probabilities, targets)
    assert expected_calibration_error(tempered, targets) < 0.25 * before
    assert (tempered.argmax(1) == probabilities.argmax(1)).all()


def test_tempering_is_a_power_that_sums_to_one(rng):
    probabilities = rng.dirichlet(np.ones(4), 20)
    powers = probabilities ** (1 / 1.7)
    assert temper(probabilities, 1.7) == pytest.approx(powers / powers.sum(1, keepdims=True))
    assert temper(probabilities, 1.0) == pytest.approx(probabilities)


def test_rounded_zeros_and_perfect_networks_stay_finite():
    sure = np.eye(3)
    assert temper(sure, fit_temperature(sure, [0, 1, 2])) == pytest.approx(sure)
    assert fit_temperature(np.repeat(sure, 40, axis=0), np.tile([1, 2, 0], 40)) <= RANGE[1]
    assert np.isfinite(temper(sure, 5.0)).all()


def test_without_clips_nothing_is_tempered():
    assert fit_temperature(np.zeros((0, 4)), []) == 1.0


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
