import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.inspection import permutation_importance as second_opinion
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from ser_pipeline.metrics.importance import (
    closest_pairs,
    decide,
    group_correlations,
    permutation_importance,
    rank_correlations,
)


def sign_rule(table):
    return (table[:, 0] > 0).astype(int)


@pytest.fixture
def clips(rng):
    """Values, targets and speakers of 80 clips; only the first feature tells the two classes apart."""
    targets = np.tile([0, 1], 40)
    values = np.column_stack([2.0 * targets - 1, rng.normal(size=(80, 3))])
    return values, targets, np.repeat(list("abcd"), 20)


def test_a_feature_the_model_ignores_has_none_at_all(clips):
    found = permutation_importance(*clips, sign_rule, [[1], [2, 3], []], classes=2, repeats=7)
    for row in (found.drop, found.low, found.high, found.spread):
        assert (row == 0).all()


def test_the_feature_a_rule_is_made_of_costs_what_its_orders_cost(clips):
    values, targets, speakers = clips
    found = permutation_importance(
        values, targets, speakers, sign_rule, [[0], [0, 1]], classes=2, repeats=30, seed=3
    )
    rng = np.random.default_rng(3)
    orders = [rng.permutation(80) for _ in range(30)]
    drops = [1 - balanced_accuracy_score(targets, sign_rule(values[order])) for order in orders]
    assert found.drop == pytest.approx([np.mean(drops)] * 2)
    assert found.spread == pytest.approx([np.std(drops)] * 2)
    assert found.drop[0] == pytest.approx(0.5, abs=0.05)  # two even classes: half of them meet their own
    assert (found.low < found.drop).all()
    assert (found.high > found.drop).all()


def test_scikit_learn_finds_the_same(rng):
    targets = rng.integers(0, 3, 300)
    values = rng.normal(size=(300, 4)) + np.outer(targets, [1.5, 0.7, 0.2, 0])
    model = LogisticRegression().fit(values, targets)
    speakers = rng.choice(list("abcdef"), 300)
    found = permutation_importance(
        values, targets, speakers, model.predict, [[n] for n in range(4)], classes=3, repeats=100
    )
    expected = second_opinion(
        model, values, targets, scoring="balanced_accuracy", n_repeats=100, random_state=1
    )
    assert found.drop == pytest.approx(expected.importances_mean, abs=0.012)
    assert found.spread == pytest.approx(expected.importances_std, abs=0.006)


def test_size_of_a_call_changes_nothing(clips):
    whole = permutation_importance(*clips, sign_rule, [[0], [1]], classes=2, repeats=5)
    for rows in (7, 80, 170):
        sizes = []

        def rule(table, sizes=sizes):
            sizes.append(len(table))
            return sign_rule(table)

        found = permutation_importance(*clips, rule, [[0], [1]], classes=2, repeats=5, max_rows=rows)
        assert max(sizes) <= rows
        assert (found.drop == whole.drop).all()
        assert (found.low == whole.low).all()


def test_the_values_are_left_as_they_were(clips):
    values = clips[0].copy()
    permutation_importance(*clips, sign_rule, [[0, 1], [2]], classes=2, repeats=3)
    assert (clips[0] == values).all()


def test_columns_of_a_set_move_together(clips):
    values, targets, speakers = clips
    values[:, 1] = values[:, 0]

    def both_agree(table):
        return np.where(table[:, 0] == table[:, 1], sign_rule(table), 1 - targets[: len(table)])

    found = permutation_importance(
        values, targets, speakers, both_agree, [[0], [0, 1]], classes=2, repeats=20, max_rows=80
    )
    assert found.drop[0] == pytest.approx(
        found.drop[1]
    )  # here a clip that meets its own is all that is right
    assert (permutation_importance(values, targets, speakers, lambda t: (t[:, 0] != t[:, 1]).astype(int),
            [[0, 1]], classes=2, repeats=5).drop == 0).all()  # fmt: skip


def test_seed_decides(clips):
    one, same, other = (
        permutation_importance(*clips, sign_rule, [[0]], classes=2, repeats=4, seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.drop == same.drop
    assert one.low == same.low
    assert one.drop != other.drop


def test_one_speaker_has_no_interval(clips):
    values, targets, _ = clips
    for speakers in (["a"] * 80, ["a", "x-unknown"] * 40):
        found = permutation_importance(values, targets, speakers, sign_rule, [[0]], classes=2, repeats=3)
        assert np.isnan(found.low[0])
        assert np.isnan(found.high[0])


def test_if_one_speaker_alone_has_a_class_there_is_no_interval(clips):
    values, targets, speakers = clips
    third = np.where((speakers == speakers[0]) & (np.arange(len(targets)) % 2 == 0), 2, targets)
    found = permutation_importance(values, third, speakers, sign_rule, [[0]], classes=3, repeats=5)
    assert np.isfinite(found.drop).all()
    assert np.isnan([found.low, found.high]).all()
    assert found.drop[0] > 0.3


def test_interval_is_that_of_a_plain_loop(clips):
    values, targets, speakers = clips
    found = permutation_importance(
        values, targets, speakers, sign_rule, [[0]], classes=2, repeats=3, seed=9, resamples=50
    )
    rng = np.random.default_rng(9)
    orders = [rng.permutation(80) for _ in range(3)]
    taken = rng.multinomial(4, np.full(4, 1 / 4), 50)
    shares = rng.multinomial(3, np.full(3, 1 / 3), 50)
    drops = []
    for times, share in zip(taken, shares, strict=True):
        weights = times[np.searchsorted(list("abcd"), speakers)]
        scores = [
            balanced_accuracy_score(targets, sign_rule(values[order]), sample_weight=weights)
            for order in orders
        ]
        drops.append(1 - np.average(scores, weights=share))
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(np.quantile(drops, [0.025, 0.975])))


def test_decisions_are_asked_for_in_pieces(clips):
    assert (decide(sign_rule, clips[0], max_rows=9) == sign_rule(clips[0])).all()
    assert decide(sign_rule, clips[0][:0]).shape == (0,)


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
