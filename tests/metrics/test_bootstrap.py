from functools import partial

import numpy as np
import pytest

from ser_pipeline.metrics import (
    SCORES,
    best_class_lead,
    bootstrap_intervals,
    bootstrap_p,
    compare,
    confusion_lead,
    confusion_matrix,
    describe_intervals,
    drawn_scores,
    error_distance,
    fewest_holders,
    mean_error_distance,
    percentile_interval,
    speaker_confusions,
    uar,
)


def test_speaker_confusions_add_up(rng):
    targets, predicted = rng.integers(0, 3, 90), rng.integers(0, 3, 90)
    speakers = rng.choice(["b", "a", "c"], 90)
    counts, names = speaker_confusions(targets, predicted, speakers, 3)
    assert names == ["a", "b", "c"]
    assert (counts.sum(0) == confusion_matrix(targets, predicted, 3)).all()
    mine = speakers == "b"
    assert (counts[1] == confusion_matrix(targets[mine], predicted[mine], 3)).all()


def test_intervals_equal_a_plain_loop_over_draws(rng):
    counts = rng.integers(1, 9, (7, 3, 3))
    draws = np.random.default_rng(5)
    found = bootstrap_intervals(counts, seed=5, resamples=40)["uar"]
    times = draws.multinomial(7, np.full(7, 1 / 7), 40)
    scores = [float(uar((counts * time[:, None, None]).sum(0))) for time in times]
    assert found == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_every_draw_has_all_classes_that_there_are(rng):
    """Without a speaker who is angry, a draw would be a score of one class alone: 1."""
    counts = np.zeros((3, 3, 3), np.int64)
    counts[:, 0, 0] = 20
    counts[1, 1, 0] = 5
    counts[2, 1, 0] = 5
    assert bootstrap_intervals(counts)["uar"] == (0.5, 0.5)
    counts = rng.integers(0, 2, (9, 4, 4)) * rng.integers(0, 9, (9, 4, 4))
    counts[1:, 2] = 0
    counts[:, 3] = 0
    counts[:2, 2, 0] = 3
    (draws,) = drawn_scores([counts[None]], {"present": lambda each: (each.sum(-1) > 0).sum(-1)})["present"]
    assert set(draws.tolist()) == {3}


def test_those_whom_nobody_knows_hold_no_class(rng):
    counts, names = rng.integers(1, 9, (6, 3, 3)), [*(f"a-{number}" for number in range(5)), "a-unknown"]
    counts[1:5, 2] = 0
    assert bootstrap_intervals(counts, names).keys() == {"accuracy"}
    assert fewest_holders(counts, names, ("anger", "fear", "joy")) == (1, ["joy"])
    assert bootstrap_intervals(counts).keys() == {"accuracy", "uar", "macro_f1"}  # where all are somebody


def test_with_one_speaker_of_a_class_only_scores_over_clips_have_an_interval(rng):
    counts = rng.integers(1, 9, (6, 3, 3))
    assert bootstrap_intervals(counts).keys() == {"accuracy", "uar", "macro_f1"}
    before = bootstrap_intervals(counts)["accuracy"]
    counts[1:, 2] = 0
    assert bootstrap_intervals(counts).keys() == {"accuracy"}
    assert bootstrap_intervals(counts)["accuracy"] != before
    found = compare(counts[None], counts[None, :, :, ::-1])
    assert (found["uar"].low, found["uar"].high) == (None, None)
    assert found["accuracy"].low is not None
    distance = partial(error_distance, distances=1 - np.eye(3))
    assert drawn_scores([counts[None]], {"lead": partial(best_class_lead, number=0)}) == {}
    assert drawn_scores([counts[None]], {"it": distance}).keys() == {"it"}


def test_emotions_of_few_speakers_are_named():
    names = [f"a-{number}" for number in range(12)]
    usual = "95 % percentile bootstrap over 12 speakers, 2000 resamples, seed 0"
    assert describe_intervals(names, fewest=(1, ["fear", "anger"])) == (
        f"{usual}; no interval for UAR and macro-F1, because clips of fear and anger do not come from "
        "several known speakers"
    )
    assert describe_intervals(names, fewest=(2, ["fear"])) == (
        f"{usual}; too narrow, because only 2 speakers have clips of fear"
    )
    assert describe_intervals(names, fewest=(5, ["fear"])) == usual


def test_the_width_is_that_of_a_mean_over_speakers(rng):
    # each speaker's clips are all right or all wrong: accuracy is a mean of independent coin throws
    right = rng.random(400) < 0.5
    counts = np.zeros((400, 2, 2), np.int64)
    counts[right, 0, 0], counts[~right, 0, 1] = 25, 25
    low, high = bootstrap_intervals(counts)["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(400), rel=0.1)


def test_the_same_seed_gives_the_same_interval(rng):
    counts = rng.integers(1, 9, (12, 4, 4))
    assert bootstrap_intervals(counts, seed=1) == bootstrap_intervals(counts, seed=1)
    assert bootstrap_intervals(counts, seed=1) != bootstrap_intervals(counts, seed=2)


def test_one_speaker_has_no_interval():
    assert bootstrap_intervals(np.ones((1, 2, 2), np.int64)) == {}
    assert describe_intervals([]) == "no interval: no clips"


def test_few_speakers_are_named():
    text = describe_intervals(["a-1", "a-2"], seed=3)
    assert text.startswith("95 % percentile bootstrap over 2 speakers, 2000 resamples, seed 3")
    assert "fewer than 10 speakers (a-1, a-2)" in text
    assert "fewer" not in describe_intervals([f"a-{number}" for number in range(10)])


def test_clips_that_do_not_say_who_speaks_are_no_speaker():
    for names in (["a-unknown"], ["a-unknown", "b-unknown"]):
        assert describe_intervals(names, unnamed=72) == "no interval: 72 clips do not say who speaks"
        assert len(speaker_confusions([0, 1], [0, 0], names * (3 - len(names)), 2)[0]) == 1
    text = describe_intervals(["a-1", "a-2", "b-unknown"], unnamed=48)
    assert text.startswith(
        "95 % percentile bootstrap over 2 speakers, 2000 resamples, seed 0; 48 clips do not"
    )
    assert "fewer than 10 speakers (a-1, a-2)" in text


def arm(rng, seeds=3, speakers=14, classes=4):
    return rng.integers(0, 9, (seeds, speakers, classes, classes))


def test_one_seed_draws_like_the_interval_of_a_single_run(rng):
    counts = arm(rng, seeds=1)
    drawn = drawn_scores([counts], SCORES, resamples=20_000)["uar"][0]
    assert percentile_interval(drawn) == pytest.approx(
        bootstrap_intervals(counts[0], resamples=20_000)["uar"], abs=0.004
    )


def test_seeds_that_differ_widen_the_interval(rng):
    same = np.repeat(arm(rng, seeds=1) + 20 * np.eye(4, dtype=int), 3, axis=0)
    other = same.copy()
    other[1] = np.flip(other[1], -1)
    widths = [
        np.ptp(percentile_interval(drawn_scores([one], SCORES)["accuracy"][0])) for one in (same, other)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_arms_share_their_speakers(rng):
    counts = arm(rng)
    first, second = drawn_scores([counts[:1], counts[:1]], SCORES)["macro_f1"]
    assert np.array_equal(first, second)


def test_one_speaker_gives_nothing(rng):
    assert drawn_scores([arm(rng, speakers=1)], SCORES) == {}
    assert percentile_interval(None) == (None, None)


def test_p_is_uniform_under_the_null(rng):
    found = [bootstrap_p(rng.normal(rng.normal(), 1, 2000)) for _ in range(2000)]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.02)
    assert bootstrap_p(np.full(999, 2.0)) == pytest.approx(0.002)
    assert bootstrap_p(np.zeros(9)) == 1


def test_error_distance_agrees_with_that_of_one_matrix(rng):
    counts, distances = rng.integers(0, 9, (5, 3, 3)), rng.random((3, 3))
    expected = [mean_error_distance(one, distances) for one in counts]
    assert error_distance(counts, distances) == pytest.approx(expected)


def test_scores_of_ones_own_are_compared(rng):
    first = np.repeat(arm(rng, seeds=1), 2, axis=0)
    second = np.flip(first, -1)
    found = compare(first, second, scores={"own": lambda counts: counts[..., 0, 0] * 1.0})
    assert set(found) == {"own"}
    assert found["own"].difference == (first - second)[0, :, 0, 0].sum()


def test_a_lead_changes_sign_with_the_class():
    counts = np.array([[9, 1, 0], [3, 7, 0], [0, 5, 5]])
    assert float(best_class_lead(counts, 0)) == pytest.approx(0.2)
    assert float(best_class_lead(counts, 2)) == pytest.approx(-0.4)


def test_the_most_frequent_confusions_lead():
    counts = np.array([[8, 2, 0], [4, 6, 0], [1, 0, 9]])
    assert float(confusion_lead(counts, [(1, 0)])) == pytest.approx(0.3 - 0.05)
    assert float(confusion_lead(counts, [(0, 2)])) == pytest.approx(0.05 - 0.3)
