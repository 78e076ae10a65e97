import functools
import json

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.enrolment import COUNTS, ENROLMENT, WAYS, EnrolmentCurve, enrolment_curve
from ser_pipeline.evaluation.run import evaluate_run
from ser_pipeline.training.run import train_run
from tests.conftest import Toy
from tests.training.conftest import Silent


def train(toy, normalise):
    """Folder of a classifier of the toy's features."""
    toy.write_features()
    folder = toy.folder / "runs" / normalise
    data = toy.data(model={"name": "logreg", "c": 0.01}, normalise=normalise)
    train_run(data, folder, Silent(), command="ser train logreg")
    return folder


@pytest.fixture(scope="module")
def adaptive(tmp_path_factory):
    """A toy, a run of it that adapts, and what gives the curve of that run, computed once for each call."""
    toy = Toy(tmp_path_factory.mktemp("adaptive"))
    folder = train(toy, "adaptive")
    return toy, folder, functools.cache(functools.partial(curve_of, toy, folder))


def curve_of(toy, folder, **changes):
    return enrolment_curve(folder, manifests=toy.manifests, cache=toy.cache, **changes)


def uars(curve, way):
    return {score.clips: score.uar for score in curve.scores if score.chosen == way}


def test_every_number_and_way_is_scored_and_kept(adaptive):
    (toy, folder, curve), steps = adaptive, []
    new = curve_of(toy, folder, advance=lambda done, total: steps.append((done, total)))
    assert [(score.chosen, score.clips) for score in new.scores] == [
        (way, count) for way in WAYS for count in COUNTS
    ]
    assert all(0 <= score.low <= score.uar <= score.high <= 1 for score in new.scores)
    assert steps == [(1, len(new.scores))] * len(new.scores)
    kept = EnrolmentCurve.model_validate(json.loads((folder / ENROLMENT).read_text()))
    assert kept == new == curve()


def test_no_clip_known_is_the_same_however_it_is_chosen(adaptive):
    none = [score for score in adaptive[2]().scores if score.clips == 0]
    assert len({(score.uar, score.low, score.high) for score in none}) == 1


def test_where_voices_differ_knowing_more_of_them_helps(adaptive):
    """The toy's speakers lie five deviations apart: what a speaker sounds like hides what they feel."""
    known = uars(adaptive[2](part="validation", seed=0), "as they come")
    assert known[None] > known[0]
    assert known[None] == pytest.approx(known[50])  # nobody has as many


def test_with_all_clips_known_it_is_nearly_what_scoring_says(adaptive):
    toy, folder, curve = adaptive  # but for the clip itself, which scoring counts among the known
    scores = evaluate_run(folder, manifests=toy.manifests, cache=toy.cache)
    assert uars(curve(), "as they come")[None] == pytest.approx(
        scores.parts["test"].pooled.uar.value, abs=0.15
    )


def test_other_seeds_choose_other_clips(adaptive):
    one, other = (adaptive[2](part="validation", seed=seed) for seed in (0, 1))
    assert uars(one, WAYS[0])[0] == uars(other, WAYS[0])[0]
    assert [score.uar for score in one.scores] != [score.uar for score in other.scores]


def test_a_model_that_does_not_adapt_is_refused(toy):
    with pytest.raises(RunError, match=r"was not trained to adapt to a speaker; .*--normalise adaptive"):
        curve_of(toy, train(toy, "none"))
