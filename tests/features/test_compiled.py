import numba
import numpy as np

from ser_pipeline.features.compiled import compiled


def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


def test_gives_what_python_gives(rng):
    values = rng.standard_normal(100)
    assert compiled(total)(values) == total(values)


def test_compiles_anew_where_nothing_can_be_kept(monkeypatch):
    whole = numba.njit

    def nowhere(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return whole(**options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert compiled(total)(np.ones(3)) == 3
