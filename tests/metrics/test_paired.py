from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, permutation_test

from ser_pipeline.errors import RunError
from ser_pipeline.metrics import Comparison, accuracy, compare, holm, macro_f1, uar, verdict

SCORES = {"accuracy": accuracy, "uar": uar, "macro_f1": macro_f1}


def arms(rng, *, speakers=9, clips=20, classes=3, rates=(0.7, 0.6), seeds=(1, 1)):
    """Counts by seed and speaker of two arms that are right at given rates, on the same clips."""
    targets = rng.integers(0, classes, (speakers, clips))
    found = []
    for rate, runs in zip(rates, seeds, strict=True):
        counts = np.zeros((runs, speakers, classes, classes), np.int64)
        for run, speaker in product(range(runs), range(speakers)):
            other = (targets[speaker] + rng.integers(1, classes, clips)) % classes
            said = np.where(rng.random(clips) < rate, targets[speaker], other)
            np.add.at(counts[run, speaker], (targets[speaker], said), 1)
        found.append(counts)
    return found


@pytest.mark.parametrize("name", sorted(SCORES))
def test_every_swap_of_arms_is_tried(rng, name):
    first, second = arms(rng, speakers=6, seeds=(2, 3))
    one, other = first.mean(0), second.mean(0)
    score = SCORES[name]
    observed = abs(score(one.sum(0)) - score(other.sum(0)))
    count = 0
    for swapped in product([False, True], repeat=6):
        pick = np.array(swapped)[:, None, None]
        gap = score(np.where(pick, other, one).sum(0)) - score(np.where(pick, one, other).sum(0))
        count += abs(gap) >= observed - 1e-12
    assert compare(first, second)[name].p == pytest.approx(count / 2**6)


def test_accuracy_agrees_with_scipys_paired_permutation_test(rng):
    first, second = arms(rng, speakers=10)
    hits = [np.trace(arm[0], axis1=1, axis2=2).astype(float) for arm in (first, second)]
    expected = permutation_test(
        hits, lambda x, y, axis: (x - y).mean(axis), permutation_type="samples", vectorized=True
    )
    assert compare(first, second)["accuracy"].p == pytest.approx(expected.pvalue)


def test_many_speakers_are_swapped_at_random_and_agree_with_the_closed_form():
    # each speaker's one clip differs or not: the sum of signs is binomial
    better, worse = np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])
    first = np.array([[better] * 26 + [worse] * 12])
    second = np.array([[worse] * 26 + [better] * 12])
    expected = 2 * binom.cdf(12, 38, 0.5)
    assert compare(first, second)["accuracy"].p == pytest.approx(expected, abs=0.005)
    assert compare(first, second)["accuracy"].p == compare(first, second)["accuracy"].p


def test_equal_arms_have_no_difference(rng):
    first, _ = arms(rng, speakers=20)
    found = compare(first, first)["uar"]
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_p_values_are_honest_where_nothing_differs(rng):
    p = [compare(*arms(rng, speakers=8, rates=(0.6, 0.6)), resamples=1)["uar"].p for _ in range(200)]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(p) == pytest.approx(0.5, abs=0.07)


def test_the_interval_equals_a_plain_loop_over_draws(rng):
    first, second = arms(rng, speakers=7, seeds=(2, 3))
    found = compare(first, second, seed=5, resamples=40)["macro_f1"]
    draws = np.random.default_rng(5)
    times = draws.multinomial(7, np.full(7, 1 / 7), 40)
    shares = [draws.multinomial(runs, np.full(runs, 1 / runs), 40) / runs for runs in (2, 3)]
    gaps = []
    for draw, time in enumerate(times):
        means = [
            sum(
                share[draw, run] * macro_f1((arm[run] * time[:, None, None]).sum(0))
                for run in range(len(arm))
            )
            for arm, share in zip((first, second), shares, strict=True)
        ]
        gaps.append(means[0] - means[1])
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))


def test_scores_are_means_over_seeds(rng):
    first, second = arms(rng, seeds=(3, 2))
    found = compare(first, second, resamples=10)["uar"]
    assert found.first == pytest.approx(np.mean([uar(run.sum(0)) for run in first]))
    assert found.second == pytest.approx(np.mean([uar(run.sum(0)) for run in second]))
    assert found.difference == pytest.approx(found.first - found.second)
    assert (found.speakers, found.seeds) == (9, (3, 2))


def test_pairs_make_the_interval_narrow():
    # speakers differ a lot, but both arms alike: what is left is the constant gap
    targets = 40
    counts = []
    for gain in (4, 0):
        hits = np.linspace(5, 35, 12).astype(int) + gain
        counts.append(np.array([[[[hit, targets - hit], [0, 0]] for hit in hits]]))
    found = compare(*counts)["accuracy"]
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.1))


def test_seeds_that_differ_widen_the_interval(rng):
    first, _ = arms(rng, speakers=10)
    steady = compare(np.concatenate([first, first]), first)["accuracy"]
    assert (steady.low, steady.high) == (0, 0)
    swinging = compare(np.concatenate([first, _as_wrong_as_can_be(first)]), first)["accuracy"]
    assert swinging.high == 0  # a quarter of the draws are the good seed alone
    assert swinging.low < -0.5  # and a quarter the bad one


def _as_wrong_as_can_be(arm):
    """The same clips, every decision one class further than the truth."""
    classes = arm.shape[-1]
    wrong = np.zeros_like(arm)
    for truth in range(classes):
        wrong[:, :, truth, (truth + 1) % classes] = arm[:, :, truth].sum(-1)
    return wrong


def test_a_score_that_is_no_number_is_no_evidence(rng):
    first, second = arms(rng)
    found = compare(first, second, scores={"odd": lambda counts: np.full(counts.shape[:-2], np.nan)})
    assert found["odd"].p == 1


def test_one_speaker_has_no_interval(rng):
    found = compare(*arms(rng, speakers=1))["uar"]
    assert (found.low, found.high, found.p) == (None, None, 1.0)


@pytest.mark.parametrize("change", ["a clip of another class", "a speaker fewer", "a seed with other clips"])
def test_other_clips_are_refused(rng, change):
    first, second = arms(rng, seeds=(2, 2))
    if change == "a clip of another class":
        second = np.flip(second, 2)
    elif change == "a speaker fewer":
        second = second[:, 1:]
    else:
        second[1, 0, 0, 0] += 1
    with pytest.raises(RunError, match="must score the same clips of the same speakers"):
        compare(first, second)


def compared(low, high, speakers=20):
    middle = 0.0 if low is None else (low + high) / 2
    return Comparison(0.5 + middle, 0.5, middle, low, high, 0.01, speakers, (1, 1))


def test_a_textbook_family():
    # 0.005 * 4, then 0.01 * 3, 0.03 * 2 and 0.04 * 1, never smaller than the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_it_rejects_what_stepping_down_rejects(rng):
    for _ in range(200):
        p = rng.random(7) ** 3
        rejected, left = set(), sorted(range(7), key=lambda i: p[i])
        while left and p[left[0]] <= 0.05 / len(left):
            rejected.add(left.pop(0))
        assert set(np.flatnonzero(holm(p) <= 0.05)) == rejected


def test_one_claim_is_left_alone_and_none_is_above_one():
    assert holm([0.3]).tolist() == [0.3]
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_a_family_of_true_nulls_is_rarely_hit(rng):
    hits = [(holm(rng.random(10)) <= 0.05).any() for _ in range(1000)]
    assert np.mean(hits) == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(
    ("low", "high", "p", "at_least", "expected"),
    [
        (0.01, 0.05, 0.01, 0.0, "holds"),
        (0.01, 0.05, 0.01, 0.04, "holds"),
        (0.01, 0.03, 0.01, 0.04, "does not hold"),  # better, but by less than was claimed
        (0.01, 0.05, 0.06, 0.0, "not decidable here"),  # one of many claims
        (-0.01, 0.05, 0.01, 0.0, "not decidable here"),
        (-0.01, 0.01, 0.4, 0.02, "does not hold"),
        (-0.05, -0.01, 0.01, 0.0, "does not hold"),
        (0.0, 0.0, 1.0, 0.0, "does not hold"),
        (None, None, 1.0, 0.0, "not decidable here"),
    ],
)
def test_verdicts(low, high, p, at_least, expected):
    assert verdict(compared(low, high), p, at_least=at_least) == expected


def test_five_speakers_decide_nothing():
    assert verdict(compared(0.01, 0.05, speakers=5), 0.01) == "not decidable here"
    assert verdict(compared(-0.05, -0.01, speakers=5), 1.0) == "not decidable here"
    assert verdict(compared(0.01, 0.05, speakers=6), 0.04) == "holds"
