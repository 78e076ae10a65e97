import numba
import numpy as np
import pytest

from ser_pipeline.compiled import compiled, inlined, vectorised


def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


def test_gives_what_python_gives(rng):
    values = rng.standard_normal(100)
    assert compiled(total)(values) == total(values)


@pytest.mark.parametrize("decorator", [vectorised, inlined])
def test_sums_in_another_order_differ_by_rounding_alone(rng, decorator):
    values = rng.standard_normal(100)
    assert decorator(total)(values) == pytest.approx(total(values), abs=1e-13)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(wrong):
    assert not np.isfinite(vectorised(total)(np.array([1.0, wrong, 1.0])))


def test_compiles_anew_where_nothing_can_be_kept(monkeypatch):
    whole = numba.njit

    def nowhere(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return whole(**options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert compiled(total)(np.ones(3)) == 3
