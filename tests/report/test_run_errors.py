from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.document import plain
from ser_pipeline.report.run_figures import groups_by_kind, surest_mistakes, worst_groups
from ser_pipeline.report.run_section import MAX_GROUPS, certainty_blocks, emotion_blocks, group_blocks
from ser_pipeline.runs.predictions import Predictions
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import Certainty, GroupScores
from ser_pipeline.tables import Table

KNOWN = KnownCorpora.of({})

pytestmark = pytest.mark.usefixtures("no_drawings")


@pytest.fixture
def run(tmp_path, fake):
    return read_runs([fake.run(tmp_path, "one", fake.rows(takes=6), "d", epochs=2)])[0][0]


def test_confusions_are_told_in_words(run):
    _, sentence, _ = emotion_blocks(run, ())
    assert plain(sentence.words).startswith("R1 most often takes ")


def test_perfect_run_has_no_confusions(tmp_path, rows, fake):
    run = read_runs([fake.run(tmp_path, "best", rows, "d", skill=9.0, epochs=2)])[0][0]
    assert plain(emotion_blocks(run, ())[1].words) == "R1 took no emotion for another on the test recordings."
    assert len(certainty_blocks(run, ())) == 1  # a figure, and no table of mistakes


def test_worst_groups_are_named(run):
    sentence, table = group_blocks(run, KNOWN, ())
    worst = min((g for g in run.shown.groups if g.by == "corpus"), key=lambda g: g.uar)
    assert f"corpus {KNOWN.title(worst.name)} ({100 * worst.uar:.1f} % over {worst.clips} clips)" in plain(
        sentence.words
    )
    assert "By modality" not in [group.title for group in table.groups]


def test_long_lists_of_speakers_keep_the_lowest(run):
    groups = tuple(
        GroupScores(
            by="speaker", name=f"s{n:03d}", clips=9, speakers=1, accuracy=0.5, uar=n / 100, macro_f1=0.5
        )
        for n in range(99, -1, -1)
    )
    scores = run.scores.model_copy(
        update={"parts": {"test": run.shown.model_copy(update={"groups": groups})}}
    )
    (table,) = group_blocks(type(run)(**{**vars(run), "scores": scores}), KNOWN, ())
    (speakers,) = table.groups
    assert [row.entries[0].text for row in speakers.rows] == [f"s{n:03d}" for n in range(MAX_GROUPS)]
    assert speakers.note == "the 20 lowest of 100; report.json has all"


def test_run_without_groups_has_no_group_table(run):
    scores = run.scores.model_copy(update={"parts": {"test": run.shown.model_copy(update={"groups": ()})}})
    assert group_blocks(type(run)(**{**vars(run), "scores": scores}), KNOWN, ()) == []


def with_threshold(run):
    """The same run with a temperature, and a threshold that half of the clips reach."""
    known = {"ece_before": 0.2, "answered": 0.5, "answered_accuracy": 0.75}
    parts = {
        part: scores.model_copy(update={"pooled": scores.pooled.model_copy(update=known)})
        for part, scores in run.scores.parts.items()
    }
    certainty = Certainty(temperature=1.25, abstain_below=0.4)
    return replace(run, scores=run.scores.model_copy(update={"parts": parts, "certainty": certainty}))


def test_temperature_and_threshold_are_told(run):
    told = plain(certainty_blocks(with_threshold(run), ())[0].words)
    wrong = 100 * (1 - run.shown.pooled.accuracy.value)
    assert told.startswith("Temperature 1.25, fitted on validation recordings")
    assert "Below a confidence of 40.0 % R1 had better not answer" in told
    assert "Validation: 50.0 % of the clips are answered, 25.0 % of them wrong" in told
    assert f"Test: 50.0 % of the clips are answered, 25.0 % of them wrong; of all clips {wrong:.1f} %" in told


def test_surest_mistakes_name_recordings(run):
    table = certainty_blocks(run, ())[1]
    assert isinstance(table, Table)
    clips = set(run.predictions.clips)
    assert all(row.entries[0].text in clips for row in table.rows)
    assert all(row.entries[1].text != row.entries[2].text for row in table.rows)


@pytest.fixture
def predictions(rng):
    probabilities = rng.dirichlet(np.ones(3), 400)
    return Predictions(
        clips=tuple(f"c/{number:03d}" for number in range(400)),
        target=rng.integers(0, 3, 400),
        predicted=probabilities.argmax(1),
        probabilities=probabilities,
    )


def test_surest_mistakes_are_wrong_and_sorted(predictions):
    found = surest_mistakes(predictions)
    sure, wrong = predictions.probabilities.max(1), predictions.predicted != predictions.target
    assert [mistake.confidence for mistake in found] == sorted(sure[wrong].tolist(), reverse=True)[:10]
    assert all(mistake.target != mistake.predicted for mistake in found)


def test_perfect_decisions_have_no_mistakes():
    perfect = Predictions(("a", "b"), np.array([0, 1]), np.array([0, 1]), np.eye(2))
    assert surest_mistakes(perfect) == []


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
