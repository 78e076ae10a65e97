import numpy as np
import pytest
from scipy.stats import entropy, pearsonr

from ser_pipeline.metrics import (
    ccc,
    rating_columns,
    rating_scores,
    speaker_sums,
    sum_intervals,
    vote_columns,
    vote_scores,
)


def test_ratings_agree_with_other_implementations(rng):
    rated = rng.uniform(-1, 1, 50)
    said = 0.5 * rated + rng.normal(0, 0.3, 50)
    found = rating_scores(rating_columns(rated, said).sum(0))
    assert found["pearson"] == pytest.approx(pearsonr(rated, said).statistic)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean((rated - said) ** 2)))


def test_a_constant_has_an_error_and_no_correlation():
    found = rating_scores(rating_columns([0.1, 0.5, 0.6], [0.3] * 3).sum(0))
    assert np.isnan(found["pearson"])
    assert found["ccc"] == pytest.approx(0)
    assert found["rmse"] == pytest.approx(np.sqrt((0.04 + 0.04 + 0.09) / 3))
    assert np.isnan(rating_scores(rating_columns([0.1] * 7, [0.1] * 7).sum(0))["ccc"])


def test_votes_agree_with_another_implementation(rng):
    votes, said = rng.dirichlet(np.ones(4), (2, 30))
    votes[0] = [1, 0, 0, 0]
    found = vote_scores(vote_columns(votes, said).sum(0))
    assert found["divergence"] == pytest.approx(entropy(votes, said, axis=1).mean())
    beyond = found["cross_entropy"] - found["divergence"]
    assert beyond == pytest.approx(entropy(votes, axis=1).mean())


def test_a_class_that_is_ruled_out_costs_no_more_than_the_least_probability():
    found = vote_scores(vote_columns(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).sum(0))
    assert found["cross_entropy"] == pytest.approx(-np.log(1e-7))


def test_intervals_draw_whole_speakers(rng):
    rated = rng.uniform(-1, 1, 200)
    said = rated + rng.normal(0, 0.2, 200)
    speakers = np.repeat([f"s{number}" for number in range(20)], 10)
    sums = speaker_sums(rating_columns(rated, said), speakers)
    low, high = sum_intervals(sums, rating_scores)["ccc"]
    assert low < rating_scores(sums.sum(0))["ccc"] < high
    assert sum_intervals(sums, rating_scores) == sum_intervals(sums, rating_scores)
    assert sum_intervals(sums[:1], rating_scores)["ccc"] == (None, None)


def test_there_is_no_interval_where_a_draw_has_no_score():
    constant = rating_columns([0.5, 0.5], [0.1, 0.1]).sum(0)
    varied = rating_columns([0.0, 1.0], [0.0, 0.9]).sum(0)
    intervals = sum_intervals(np.stack([constant, varied]), rating_scores)
    assert intervals["pearson"] == (None, None)
    assert intervals["rmse"] != (None, None)


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


@pytest.mark.parametrize(
    ("ratings", "predicted"), [([1.0, NAN], [1.0, 2.0]), ([], []), ([1, 1], [1, 1]), ([0.1] * 3, [0.1] * 3)]
)
def test_without_anything_that_varies_there_is_none(ratings, predicted):
    assert ccc(ratings, predicted) is None
