import numpy as np
import pytest
from scipy.stats import pearsonr

from ser_pipeline.metrics import ccc

NAN = float("nan")


def test_it_is_pearsons_correlation_times_the_bias_factor(rng):
    ratings = rng.normal(0.1, 0.4, 60)
    predicted = 0.5 * ratings + rng.normal(0.3, 0.2, 60)
    scale = ratings.std() / predicted.std()
    shift = (ratings.mean() - predicted.mean()) ** 2 / (ratings.std() * predicted.std())
    bias = 2 / (scale + 1 / scale + shift)
    assert ccc(ratings, predicted) == pytest.approx(pearsonr(ratings, predicted).statistic * bias)


def test_unrated_clips_do_not_count(rng):
    ratings, predicted = rng.normal(size=20), rng.normal(size=20)
    gaps = np.where(np.arange(20) < 12, ratings, NAN)
    assert ccc(gaps, predicted) == pytest.approx(ccc(ratings[:12], predicted[:12]))


def test_agreement_is_one_and_symmetric(rng):
    ratings, predicted = rng.normal(size=9), rng.normal(size=9)
    assert ccc(ratings, ratings) == pytest.approx(1)
    assert ccc(ratings, -ratings + 2 * ratings.mean()) == pytest.approx(-1)
    assert ccc(ratings, predicted) == pytest.approx(ccc(predicted, ratings))


@pytest.mark.parametrize(("ratings", "predicted"), [([1.0, NAN], [1.0, 2.0]), ([], []), ([1, 1], [1, 1])])
def test_without_anything_that_varies_there_is_none(ratings, predicted):
    assert ccc(ratings, predicted) is None
