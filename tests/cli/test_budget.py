import math

import pytest

from ser_pipeline.cli.budget import LONG_S, need_budget, parse_budget
from ser_pipeline.errors import SettingsError


def test_times_are_read():
    assert [parse_budget(text) for text in ("2h", "90m", "1h30m", "10m5s")] == [7200, 5400, 5400, 605]
    assert parse_budget(None) == parse_budget("none") == math.inf


@pytest.mark.parametrize("text", ["", "90", "0m", "m", "1.5h", "-5m", "5m1h", "soon"])
def test_others_are_refused(text):
    with pytest.raises(SettingsError, match=r"--budget .* must be a time above zero, such as 90m"):
        parse_budget(text)


def test_hours_need_a_budget_and_what_is_shorter_does_not():
    need_budget(None, LONG_S, "it takes")
    need_budget("none", math.inf, "it takes")
    need_budget("1s", math.inf, "it takes")
    with pytest.raises(
        SettingsError, match=r"^it takes about 2 h 0 min: pass --budget, as in --budget 1h, and"
    ):
        need_budget(None, 2 * LONG_S, "it takes")
