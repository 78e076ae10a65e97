import pytest

from ser_pipeline.experiments.costs import TYPICAL_EPOCHS, estimates, seconds_per_work, total, work_of
from ser_pipeline.experiments.place import all_records


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
