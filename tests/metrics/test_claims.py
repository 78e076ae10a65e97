import numpy as np
import pytest

from ser_pipeline.metrics import Comparison, holm, verdict


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
