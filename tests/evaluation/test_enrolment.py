import json

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.enrolment import COUNTS, ENROLMENT, WAYS, EnrolmentCurve, enrolment_curve
from ser_pipeline.evaluation.run import evaluate_run
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent


@pytest.fixture
def trained(toy, tmp_path):
    toy.write_features()

    def make(normalise, **changes):
        data = toy.data(model={"name": "logreg", "c": 0.01}, normalise=normalise, **changes)
        folder = tmp_path / "runs" / normalise
        train_run(data, folder, Silent(), command="ser train logreg")
        return folder

    return make


def curve_of(toy, folder, **changes):
    return enrolment_curve(folder, manifests=toy.manifests, cache=toy.cache, **changes)


def uars(curve, way):
    return {score.clips: score.uar for score in curve.scores if score.chosen == way}


def test_every_number_and_way_is_scored_and_kept(toy, trained):
    folder, steps = trained("adaptive"), []
    curve = curve_of(toy, folder, advance=lambda done, total: steps.append((done, total)))
    assert [(score.chosen, score.clips) for score in curve.scores] == [
        (way, count) for way in WAYS for count in COUNTS
    ]
    assert all(0 <= score.low <= score.uar <= score.high <= 1 for score in curve.scores)
    assert steps == [(1, len(curve.scores))] * len(curve.scores)
    kept = EnrolmentCurve.model_validate(json.loads((folder / ENROLMENT).read_text()))
    assert kept == curve == curve_of(toy, folder)


def test_no_clip_known_is_the_same_however_it_is_chosen(toy, trained):
    curve = curve_of(toy, trained("adaptive"))
    none = [score for score in curve.scores if score.clips == 0]
    assert len({(score.uar, score.low, score.high) for score in none}) == 1


def test_where_voices_differ_knowing_more_of_them_helps(toy, trained):
    """The toy's speakers lie five deviations apart: what a speaker sounds like hides what they feel."""
    curve = curve_of(toy, trained("adaptive"), part="validation")
    known = uars(curve, "as they come")
    assert known[None] > known[0]
    assert known[None] == pytest.approx(known[50])  # nobody has as many


def test_with_all_clips_known_it_is_nearly_what_scoring_says(toy, trained):
    folder = trained("adaptive")
    scores = evaluate_run(folder, manifests=toy.manifests, cache=toy.cache)
    curve = curve_of(toy, folder)  # but for the clip itself, which scoring counts among the known
    assert uars(curve, "as they come")[None] == pytest.approx(scores.parts["test"].pooled.uar.value, abs=0.15)


def test_other_seeds_choose_other_clips(toy, trained):
    folder = trained("adaptive")
    one, other = (curve_of(toy, folder, part="validation", seed=seed) for seed in (0, 1))
    assert uars(one, WAYS[0])[0] == uars(other, WAYS[0])[0]
    assert [score.uar for score in one.scores] != [score.uar for score in other.scores]


def test_a_model_that_does_not_adapt_is_refused(toy, trained):
    with pytest.raises(RunError, match=r"was not trained to adapt to a speaker; .*--normalise adaptive"):
        curve_of(toy, trained("none"))
