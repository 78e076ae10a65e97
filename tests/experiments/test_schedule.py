import math

import pytest

from ser_pipeline.experiments.place import all_records
from ser_pipeline.experiments.schedule import (
    TYPICAL_EPOCHS,
    estimates,
    ordered,
    seconds_per_work,
    total,
    work_of,
)


def text(settings, protocol='split = "speaker"'):
    head = f'title = "T"\nseeds = [0]\n[protocols]\np = {{ {protocol} }}\n'
    return f"{head}[arms.a]\nsettings = {{ {settings} }}\n"


def work(lab, *words):
    return work_of(lab.progress(text(*words)).cells[0], lab.ground())


def test_work_grows_with_clips_folds_and_epochs(lab):
    logreg = 'model = { name = "logreg" }'
    assert work(lab, logreg) == 120
    assert work(lab, logreg + ", train_share = 0.5") == 60
    assert work(lab, logreg + ', train_corpora = ["emodb"]') == 60
    assert work(lab, logreg, 'split = "loco", fold = "all"') == 240
    assert work(lab, 'model = { name = "dnn" }, train = { epochs = 3 }') == 360
    assert work(lab, 'model = { name = "dnn" }, train = { epochs = 999 }') == 120 * TYPICAL_EPOCHS


def test_an_encoder_that_is_trained_counts_by_its_size(lab):
    tuned = 'model = { name = "finetune" }, train = { epochs = 2 }, embeddings = { %s }'
    base, twice = (
        work(lab, tuned % f"encoder = 'x', depth = 6, width = 512, layers = [{layer}]") for layer in (3, 6)
    )
    assert (base, twice) == (120, 240)


def test_estimates_follow_what_was_measured(lab):
    lab.run(text('model = { name = "logreg", c = 0.1 }'))
    (record,) = all_records(lab.runs)
    assert seconds_per_work([record])["logreg"] == pytest.approx(record.seconds / 120)
    assert seconds_per_work([])["logreg"] > 0
    progress = lab.progress(text('model = { name = "logreg", c = 0.2 }'), name="other")
    (cost,) = estimates(progress, lab.places).values()
    assert cost.seconds == pytest.approx(record.seconds)


def test_a_store_that_lacks_recordings_is_paid_once(lab):
    there = estimates(lab.progress(text('model = { name = "logreg" }')), lab.places)
    other = text('model = { name = "logreg" }, features = { pitch_floor_hz = 70.0 }')
    lacking = estimates(
        lab.progress(other + '[arms.b]\nsettings = { model = { name = "svm" } }\n'), lab.places
    )
    (ready,) = there.values()
    first, second = lacking.values()
    assert (ready.building, second.building) == (0, 0)
    assert first.building == pytest.approx(120 * 0.03)
    assert total([first, first, second]) == pytest.approx(
        2 * first.training + second.seconds + first.building
    )


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
