import math

import pytest

from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.tables import cells
from ser_pipeline.tables.table import EN_DASH, MINUS, NOTHING


@pytest.mark.parametrize(
    "cell",
    [
        cells.missing(),
        cells.count(None),
        cells.decimal(None),
        cells.decimal(math.nan),
        cells.percent(None),
        cells.percent(math.inf),
        cells.score(None),
    ],
)
def test_numbers_that_do_not_exist_are_a_dash_without_a_value(cell):
    assert (cell.text, cell.value) == (NOTHING, None)


def test_scores_are_percent_with_their_interval():
    cell = cells.score(Estimate(value=0.61234, low=0.5, high=0.7))
    assert (cell.text, cell.value, cell.note) == ("61.2", 0.61234, f"50.0{EN_DASH}70.0")
    assert cells.score(Estimate(value=1.0)).note == ""
    assert cells.score_text(Estimate(value=0.5, low=0.4, high=0.6)) == f"50.0 % (40.0{EN_DASH}60.0)"


def test_bars_hold_the_share():
    assert cells.percent(0.25, bar=True).bar == 0.25
    assert cells.percent(0.25).bar is None


def test_negative_numbers_have_a_true_minus():
    assert cells.count(-1).text == f"{MINUS}1"
    assert cells.decimal(-0.5).text == f"{MINUS}0.50"


def test_signed_numbers_keep_their_sign():
    assert cells.effect(None, None, None) == cells.missing()
    cell = cells.effect(-0.456, -0.9, -0.001, strong=True)
    assert (cell.text, cell.note, cell.value) == (f"{MINUS}0.46", f"{MINUS}0.90 to 0.00", -0.456)
    assert cell.strong
    assert cells.effect(1.0, None, None).note == ""


def test_a_drop_below_zero_is_written_with_words():
    assert cells.interval(Estimate(value=0, low=-0.021, high=0.034)) == f"{MINUS}2.1 to 3.4"
    assert cells.score(Estimate(value=-0.01)).text == f"{MINUS}1.0"
