import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from ser_pipeline.dsp.compiled import compiled, inlined, vectorised


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


MELS = """
import hashlib

import numpy as np

from ser_pipeline.front_end import mel_of_wave
from ser_pipeline.options import FrontEnd

rng = np.random.default_rng(0)
wave = (0.1 * rng.standard_normal(44_100) * np.hanning(44_100)).astype(np.float32)
print(hashlib.sha256(mel_of_wave(wave, FrontEnd()).values.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_a_process_that_compiles_and_one_that_finds_the_code_make_the_same_bytes(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def run() -> str:
        words = [sys.executable, "-c", MELS]
        return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout

    compiled_now = run()
    kept = list(tmp_path.rglob("*.nbc"))
    assert kept
    assert run() == compiled_now
    for file in tmp_path.rglob("*mel_power*"):  # the caller anew, what it calls from disk
        file.unlink()
    assert run() == compiled_now
