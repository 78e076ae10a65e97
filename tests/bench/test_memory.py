import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ser_pipeline.bench import one_build
from ser_pipeline.bench.one_build import peak_mib


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
