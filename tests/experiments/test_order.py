import math

from ser_pipeline.experiments.order import ordered


def test_the_cheapest_claim_is_completed_first():
    assert ordered([[("a", "b"), ("c", "d")]], {"a": 5, "b": 5, "c": 1, "d": 2}, math.inf) == [
        "c", "d", "a", "b",
    ]  # fmt: skip


def test_cells_that_are_done_make_a_claim_cheap():
    assert ordered([[("a", "b"), ("c", "d")]], {"b": 1, "c": 1, "d": 2}, math.inf)[0] == "b"


def test_a_cell_that_claims_share_counts_once():
    costs = {"shared": 10, "a": 1, "b": 2, "c": 12}
    queue = ordered([[("c",), ("shared", "a"), ("shared", "b")]], costs, math.inf)
    assert queue == ["shared", "a", "b", "c"]


def test_a_claim_that_does_not_fit_is_not_begun_and_the_rest_takes_its_time():
    costs = {"a": 50, "b": 60, "c": 30, "free": 5}
    assert ordered([[("a", "b"), ("c",)]], costs, 100) == ["c", "free", "a"]


def test_a_later_tier_waits():
    assert ordered([[("dear",)], [("cheap",)]], {"dear": 9, "cheap": 1}, math.inf) == ["dear", "cheap"]


def test_without_time_nothing_is_begun():
    assert ordered([[("a",)]], {"a": 1}, 0.5) == []
    assert ordered([[("a",)]], {}, math.inf) == []
