import os
import subprocess
import sys
import time

import pytest

from ser_pipeline.bench.workers import processor_seconds
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
