import numpy as np
import pytest

from ser_pipeline.metrics import (
    bootstrap_intervals,
    confusion_matrix,
    describe_intervals,
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
