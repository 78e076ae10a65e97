import subprocess
import sys
import time

import numpy as np
import pytest

from ser_pipeline.benchmarks import one_build
from ser_pipeline.benchmarks.measure import Measurement, paired, seconds
from ser_pipeline.benchmarks.one_build import peak_mib


def test_ratio_is_to_the_reference():
    assert Measurement("a", 30.0, "clips/s", "plain", 10.0).ratio == 3.0
    assert Measurement("a", 30.0, "clips/s").ratio is None


class Clock:
    """Goes on by as much as it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def work(self, *steps):
        left = iter(steps)

        def go_on():
            self.now += next(left)

        return go_on


def test_each_of_two_works_has_the_median_of_its_own_rounds():
    clock = Clock()
    slow, fast = clock.work(9, 3, 7, 4), clock.work(8, 1, 2, 0.5)  # the first round is not measured
    assert paired(slow, fast, 3, clock) == (4, 1)


def test_seconds_are_those_of_the_clock():
    clock = Clock()
    assert seconds(clock.work(2.5), clock) == 2.5
    assert seconds(lambda: time.sleep(0.05)) >= 0.05


def test_processor_time_does_not_count_waiting():
    assert seconds(lambda: time.sleep(0.05), time.process_time) < 0.04


@pytest.mark.skipif(sys.platform != "linux", reason="only VmHWM forgets the process that started this one")
def test_a_fresh_process_counts_its_own_peak_and_not_its_parents():
    held = np.ones(300 << 20, np.uint8)
    code = """
import runpy, sys
peak_mib = runpy.run_path(sys.argv[1])["peak_mib"]
print(peak_mib())
given_back = b"1" * (150 << 20)
del given_back
print(peak_mib())
"""
    words = [sys.executable, "-c", code, one_build.__file__]
    said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    fresh, after = map(float, said.split())
    assert fresh < peak_mib() - 300
    assert fresh + 145 < after < fresh + 200
    del held
