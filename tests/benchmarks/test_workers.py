import os
import subprocess
import sys
import time

import numpy as np
import pytest

from ser_pipeline.benchmarks.workers import CHUNKINGS, _figure, processor_seconds
from ser_pipeline.errors import SettingsError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="clock_getcpuclockid is not everywhere")


def test_own_processor_time_is_pythons():
    assert processor_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.05)


def test_a_sleeping_child_spends_less_than_the_wall_clock():
    with subprocess.Popen(["sleep", "5"]) as child:
        time.sleep(0.3)
        assert processor_seconds(child.pid) < 0.2
        child.kill()


def test_a_process_that_is_not_there_is_refused():
    with pytest.raises(SettingsError, match="does not tell the processor time of process"):
        processor_seconds(2**22 + 1)


@pytest.mark.parametrize("name", sorted(CHUNKINGS))
def test_every_layout_is_measured(tmp_path, name, rng):
    values = rng.standard_normal((80, 4, 5)).astype(np.float16)
    figure = _figure(values, name, CHUNKINGS[name](values.shape[1:]), tmp_path / "x.h5")
    assert figure.rate > 0
    assert "MiB for 80 clips" in figure.note
