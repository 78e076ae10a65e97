import numpy as np
import pytest
from scipy.special import softmax

from ser_pipeline.metrics import expected_calibration_error, fit_temperature, temper
from ser_pipeline.metrics.calibration import RANGE


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
    truth = logits[np.arange(300), targets].mean()
    assert truth == pytest.approx((tempered * logits).sum(1).mean(), abs=1e-4)


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
    assert RANGE[0] <= fit_temperature(sure, [0, 1, 2]) < 1
    assert RANGE[1] * 0.99 < fit_temperature(sure, [1, 2, 0]) <= RANGE[1]
    assert np.isfinite(temper(sure, 5.0)).all()


def test_without_clips_nothing_is_tempered():
    assert fit_temperature(np.zeros((0, 4)), []) == 1.0
