import numpy as np
import pytest
import scipy.linalg
import scipy.signal

from ser_pipeline.features.lpc import prediction_filters, roots


def correlations(rng, count=20, order=10):
    waves = rng.standard_normal((count, 300))
    return np.stack([[w[: 300 - lag] @ w[lag:] for lag in range(order + 1)] for w in waves])


def test_filters_solve_the_normal_equations(rng):
    found = correlations(rng)
    for row, filter_ in zip(found, prediction_filters(found), strict=True):
        assert filter_[0] == 1
        assert filter_[1:] == pytest.approx(-scipy.linalg.solve_toeplitz(row[:-1], row[1:]), abs=1e-6)


def test_a_known_filter_is_found_from_its_correlation():
    poles = np.array([0.97 * np.exp(0.3j), 0.95 * np.exp(0.9j), 0.93 * np.exp(1.7j)])
    known = np.poly(np.concatenate([poles, poles.conj()])).real
    response = scipy.signal.lfilter([1], known, np.eye(1, 4_000)[0])
    found = np.array([[response[: 4_000 - lag] @ response[lag:] for lag in range(7)]])
    assert prediction_filters(found)[0] == pytest.approx(known, abs=1e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 10, 16])
def test_roots_equal_numpy(rng, order):
    filters = prediction_filters(correlations(rng, order=order))
    for row, found in zip(filters, roots(filters), strict=True):
        assert np.abs(found).max() < 1
        for root in np.roots(row):
            assert np.abs(found - root).min() < 1e-6


def test_roots_that_coincide_are_found():
    wanted = np.array([0.5, 0.5, -0.3, -0.3])
    found = np.sort(roots(np.poly(wanted)[None])[0].real)
    assert found == pytest.approx(np.sort(wanted), abs=1e-3)


def test_zero_is_a_root_of_a_silent_frame():
    filters = prediction_filters(np.zeros((1, 11)))
    assert filters.tolist() == [[1.0] + [0.0] * 10]
    assert np.abs(roots(filters)).max() < 0.2
