import math

import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.experiments.budget import parse_budget


def test_times_are_read():
    assert [parse_budget(text) for text in ("2h", "90m", "1h30m", "10m5s")] == [7200, 5400, 5400, 605]
    assert parse_budget(None) == math.inf


@pytest.mark.parametrize("text", ["", "90", "0m", "m", "1.5h", "-5m", "5m1h", "soon"])
def test_others_are_refused(text):
    with pytest.raises(SettingsError, match=r"--budget .* is not a time above zero, as 90m"):
        parse_budget(text)
