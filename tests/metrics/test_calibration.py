import numpy as np
import pytest

from ser_pipeline.metrics import expected_calibration_error, reliability


def by_definition(probabilities, targets, bins=15):
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
    assert found == pytest.approx([by_definition(probabilities, targets, bins) for bins in (15, 3, 1)])
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
