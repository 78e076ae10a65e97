import numpy as np
import pytest
from scipy.stats import spearmanr

from ser_pipeline.metrics.correlation import closest_pairs, group_correlations, rank_correlations


def test_one_speaker_gives_what_scipy_gives(rng):
    values = rng.integers(0, 6, (40, 5)).astype(float)  # many ties
    found = rank_correlations(values, ["a"] * 40)
    assert found == pytest.approx(spearmanr(values).statistic)


def test_speakers_are_averaged_by_their_clips(rng):
    values = rng.normal(size=(50, 4))
    speakers = np.repeat(["a", "b"], [20, 30])
    parts = [spearmanr(values[speakers == name]).statistic for name in "ab"]
    assert rank_correlations(values, speakers) == pytest.approx(0.4 * parts[0] + 0.6 * parts[1])


def test_a_difference_between_speakers_is_no_correlation(rng):
    values = rng.normal(size=(600, 2))
    speakers = np.repeat(["a", "b"], 300)
    values[300:] += 100
    assert spearmanr(values).statistic > 0.7
    assert abs(rank_correlations(values, speakers)[0, 1]) < 0.15


def test_a_speaker_in_whom_a_feature_is_constant_is_left_out():
    values = np.array([[1, 1], [2, 2], [3, 3], [5, 7], [5, 8], [5, 9]], float)
    found = rank_correlations(values, list("aaabbb"))
    assert found == pytest.approx(np.ones((2, 2)))
    assert rank_correlations(values[3:], list("bbb"))[0, 1] == 0


def test_groups_are_means_over_pairs(rng):
    table = rank_correlations(rng.normal(size=(30, 4)), ["a"] * 30)
    found = group_correlations(table, ["x", "y", "x", "z"], ["x", "y", "z"])
    assert found[0, 0] == pytest.approx(abs(table[0, 2]))
    assert found[0, 1] == pytest.approx(np.abs(table[[0, 2], 1]).mean())
    assert found[1, 1] == 1
    assert found == pytest.approx(found.T)


def test_closest_pairs_are_sorted_and_cut(rng):
    table = rank_correlations(rng.normal(size=(30, 6)), ["a"] * 30)
    found = closest_pairs(table, 4)
    sizes = [abs(value) for _, _, value in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pytest.approx(np.abs(np.triu(table, 1)).max())
    assert all(first < second for first, second, _ in found)
    assert len(closest_pairs(table, 99)) == 15
