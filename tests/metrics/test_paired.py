from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, permutation_test

from ser_pipeline.errors import RunError
from ser_pipeline.metrics import accuracy, compare, macro_f1, uar

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


def test_pairs_make_the_interval_narrow(rng):
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
