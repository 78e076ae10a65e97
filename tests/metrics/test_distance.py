import numpy as np
import pytest

from ser_pipeline.labels import EMOTIONS, distance_matrix
from ser_pipeline.metrics import confusion_matrix, mean_error_distance


def test_is_the_mean_over_wrong_decisions(rng):
    distances = np.array(distance_matrix(EMOTIONS[:4]))
    targets, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    wrong = targets != predicted
    expected = distances[targets[wrong], predicted[wrong]].mean()
    assert mean_error_distance(confusion_matrix(targets, predicted, 4), distances) == pytest.approx(expected)


def test_without_errors_there_is_no_distance():
    assert mean_error_distance(np.diag([3, 4]), np.ones((2, 2))) is None
