import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ser_pipeline.benchmarks import one_build
from ser_pipeline.benchmarks.measure import Measurement, paired, seconds
from ser_pipeline.benchmarks.one_build import peak_mib


def test_ratio_is_to_the_reference():
    assert Measurement("a", 30.0, "clips/s", "plain", 10.0).ratio == 3.0
    assert Measurement("a", 30.0, "clips/s").ratio is None


def test_slow_work_takes_longer():
    slow, fast = paired(lambda: time.sleep(0.03), lambda: None, 3)
    assert slow > 0.025 > fast


def test_seconds_are_seconds():
    assert 0.05 <= seconds(lambda: time.sleep(0.05)) < 5  # a busy machine wakes late


def test_processor_time_does_not_count_waiting():
    assert seconds(lambda: time.sleep(0.05), time.process_time) < 0.04


def test_the_peak_stays_after_the_memory_is_given_back():
    before = peak_mib()
    size = round(before + 64) << 20
    held = np.ones(size, np.uint8)
    del held
    assert peak_mib() > size / (1 << 20)


@pytest.mark.skipif(sys.platform != "linux", reason="only VmHWM forgets the process that started this one")
def test_a_fresh_process_does_not_count_its_parents_memory():
    held = np.ones(300 << 20, np.uint8)
    script = Path(one_build.__file__)
    code = f"import runpy; print(runpy.run_path({str(script)!r})['peak_mib']())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert float(said) < peak_mib() - 100
    del held
