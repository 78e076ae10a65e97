import numpy as np
import pytest

from ser_pipeline.report.analysis import (
    calibration,
    confidence,
    groups_by_kind,
    risk_coverage,
    surest_mistakes,
    top_confusions,
    worst_groups,
)
from ser_pipeline.report.runs import Predictions, read_runs


@pytest.fixture
def predictions(rng):
    probabilities = rng.dirichlet(np.ones(3), 400)
    return Predictions(
        clips=tuple(f"c/{number:03d}" for number in range(400)),
        target=rng.integers(0, 3, 400),
        predicted=probabilities.argmax(1),
        probabilities=probabilities,
    )


def test_calibration_error_equals_a_loop_over_bins(predictions):
    sure, hit = confidence(predictions), predictions.predicted == predictions.target
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (sure > low) & (sure <= low + 1 / 15)
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - hit[inside].mean())
    bins = calibration(predictions)
    assert bins.error == pytest.approx(error)
    assert bins.clips.sum() == 400


def test_full_coverage_has_the_error_rate(predictions):
    coverage, risk = risk_coverage(predictions)
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(np.mean(predictions.predicted != predictions.target))
    surest = np.argsort(-confidence(predictions))[:100]
    assert risk[99] == pytest.approx(np.mean((predictions.predicted != predictions.target)[surest]))


def test_surest_mistakes_are_wrong_and_sorted(predictions):
    found = surest_mistakes(predictions)
    sure, wrong = confidence(predictions), predictions.predicted != predictions.target
    assert [mistake.confidence for mistake in found] == sorted(sure[wrong].tolist(), reverse=True)[:10]
    assert all(mistake.target != mistake.predicted for mistake in found)


def test_perfect_decisions_have_no_mistakes():
    perfect = Predictions(("a", "b"), np.array([0, 1]), np.array([0, 1]), np.eye(2))
    assert surest_mistakes(perfect) == []
    assert calibration(perfect).error == 0
    assert risk_coverage(perfect)[1].tolist() == [0, 0]


@pytest.fixture
def run(tmp_path, fake):
    return read_runs([fake.run(tmp_path, "one", fake.rows(takes=6), "d", epochs=2)])[0][0]


def test_confusions_are_named_by_share(run):
    scores = run.shown.pooled
    counts = np.array(scores.confusion, float)
    shares = counts / counts.sum(1, keepdims=True)
    np.fill_diagonal(shares, 0)
    found = top_confusions(scores)
    assert found[0].share == pytest.approx(shares.max())
    assert [pair.share for pair in found] == sorted((pair.share for pair in found), reverse=True)


def test_worst_group_has_the_lowest_uar_of_its_kind(run):
    worst = {group.by: group for group in worst_groups(run)}
    assert worst.keys() == {"corpus", "language", "intensity", "speaker"}  # two speakers, both of one gender
    for kind, group in worst.items():
        uars = [other.uar for other in run.shown.groups if other.by == kind and other.clips >= 10]
        assert group.uar == min(uars)


def test_groups_are_sorted_lowest_first(run):
    for groups in groups_by_kind(run).values():
        assert [group.uar for group in groups] == sorted(group.uar for group in groups)
        assert len(groups) > 1
