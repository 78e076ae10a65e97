import pytest
from scipy.stats import binom

from ser_pipeline.metrics.agreement import chance_of_agreement, verdict


@pytest.mark.parametrize(
    ("direction", "low", "high", "expected"),
    [
        ("up", 0.1, 0.5, "agrees"),
        ("down", -0.5, -0.1, "agrees"),
        ("up", -0.5, -0.1, "opposes"),
        ("down", 0.1, 0.5, "opposes"),
        ("up", -0.1, 0.5, "unclear"),
        ("down", 0.0, 0.5, "unclear"),
        ("down", None, None, "unclear"),
        ("mixed", 0.1, 0.5, "not compared"),
        ("not stated", 0.1, 0.5, "not compared"),
    ],
)
def test_interval_and_direction_make_a_verdict(direction, low, high, expected):
    assert verdict(direction, low, high) == expected


@pytest.mark.parametrize(("agrees", "opposes"), [(0, 0), (1, 0), (5, 5), (17, 3), (0, 4)])
def test_chance_is_the_binomial_tail(agrees, opposes):
    expected = binom.sf(agrees - 1, agrees + opposes, 0.5)
    assert chance_of_agreement(agrees, opposes) == pytest.approx(expected)
