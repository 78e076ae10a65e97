import numpy as np
import pytest
import scipy.stats

from ser_pipeline.features.statistics import STATISTICS, UNITLESS, WORDS

SECOND = {
    "mean": lambda x: np.mean(x, axis=0),
    "std": lambda x: np.sqrt(np.mean((x - np.mean(x, axis=0)) ** 2, axis=0)),
    "range": lambda x: (
        scipy.stats.scoreatpercentile(x, 95, axis=0) - scipy.stats.scoreatpercentile(x, 5, axis=0)
    ),
    "max": lambda x: np.sort(x, axis=0)[-1],
    "skewness": scipy.stats.skew,
    "kurtosis": scipy.stats.kurtosis,
    "mean_abs": lambda x: np.sqrt(x**2).mean(axis=0),
    "rise": lambda x: np.array([c[c > 0].mean() if (c > 0).any() else 0 for c in x.T]),
    "fall": lambda x: np.array([c[c < 0].mean() if (c < 0).any() else 0 for c in x.T]),
}


def second(name):
    return SECOND.get(name) or (lambda x: np.percentile(x, int(name[1:]), axis=0))


@pytest.mark.parametrize("name", sorted(STATISTICS))
@pytest.mark.parametrize("frames", [2, 3, 50])
def test_equals_a_second_computation(rng, name, frames):
    values = rng.gamma(2, 3, (frames, 4)) - 3
    values[:, 3] = np.abs(values[:, 3])
    assert STATISTICS[name](values) == pytest.approx(second(name)(values), abs=1e-9)


@pytest.mark.parametrize("name", sorted(STATISTICS))
@pytest.mark.parametrize("value", [0.0, 0.1, -120.0])
@pytest.mark.parametrize("frames", [1, 7])
def test_a_constant_has_a_finite_statistic(name, value, frames):
    found = STATISTICS[name](np.full((frames, 2), value))
    spread = name in ("std", "range", "skewness", "kurtosis")
    expected = {"mean_abs": abs(value), "rise": max(value, 0), "fall": min(value, 0)}.get(name, value)
    assert found == pytest.approx([0 if spread else expected] * 2, abs=1e-12)


def test_every_statistic_has_words():
    assert set(WORDS) == set(STATISTICS) > UNITLESS
