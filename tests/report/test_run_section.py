from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.certainty_blocks import certainty_blocks
from ser_pipeline.report.document import Callout, Facts, Figure, Text, plain
from ser_pipeline.report.run_figures import groups_by_kind, surest_mistakes, worst_groups
from ser_pipeline.report.run_section import (
    MAX_GROUPS,
    emotion_blocks,
    group_blocks,
    run_section,
)
from ser_pipeline.runs.predictions import Predictions
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import Certainty, GroupScores, SplitInfo
from ser_pipeline.tables import Table, html_table
from ser_pipeline.tables.table import NOTHING
from tests.report.conftest import untested

pytestmark = pytest.mark.usefixtures("no_drawings")


def section_of(tmp_path, rows, fake, **changes):
    return run_section(read_runs([fake.run(tmp_path, "one", rows, "d", **changes)])[0][0], fake.data())


def blocks_of(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def test_facts_repeat_the_run(tmp_path, rows, fake):
    extra = {"device": "cpu", "precision": "bf16", "threads": 2, "failed_clips": 3}
    section = section_of(tmp_path, rows, fake, merges={"calm": "neutral"}, extra=extra)
    (facts,) = blocks_of(section, Facts)
    told = {name: plain(words) for name, words in facts.items}
    assert told["Model"] == "crnn, 2,227,589 parameters, preset default"
    assert told["Task"] == "4class: anger, happiness, neutral, sadness (calm counts as neutral)"
    assert told["Training"].startswith("12 epochs, epoch 9 kept, validation UAR did not improve")
    assert told["Training"].endswith("12 min 34 s")
    assert told["Computed on"] == "cpu, bf16, 2 threads, 3 clips failed in the cache"
    assert told["Command"] == "ser train crnn --task 4class"
    assert told["Made"] == "2026-01-02T03:04:05+00:00"


def test_facts_that_are_not_known_are_left_out(tmp_path, rows, fake):
    section = section_of(tmp_path, rows, fake, seconds=None, best_epoch=None, versions={})
    told = {name: plain(words) for name, words in blocks_of(section, Facts)[0].items}
    assert told["Training"].startswith("12 epochs, ")
    assert "Versions" not in told
    assert "Computed on" not in told


def test_leaking_split_warns_in_its_own_words(tmp_path, rows, fake):
    split = SplitInfo(name="stratified", digest="x", leaks_speakers=True, note="By clip: people are known.")
    section = section_of(tmp_path, rows, fake, split=split)
    warning = blocks_of(section, Callout)[0]
    assert plain(warning.words) == "Split stratified: By clip: people are known."
    assert section.marks == ("speakers heard",)


def test_leaking_split_without_a_note_warns_too(tmp_path, rows, fake):
    split = SplitInfo(name="mine", digest="x", leaks_speakers=True, note="")
    warning = blocks_of(section_of(tmp_path, rows, fake, split=split), Callout)[0]
    assert plain(warning.words) == "Split mine: speakers of the test clips were heard in training."


def test_few_test_speakers_are_said(tmp_path, rows, fake):
    notes = [plain(callout.words) for callout in blocks_of(section_of(tmp_path, rows, fake), Callout)]
    assert notes == [
        "There are few test clips of anger (4), happiness (4), neutral (4) and sadness (4).",
        "The test recordings come from 2 speakers only: read the scores of each one, below.",
    ]


def test_an_emotion_without_test_clips_is_named_and_has_no_scores(tmp_path, rows, fake):
    section = section_of(tmp_path, untested(rows, "anger"), fake)
    assert plain(blocks_of(section, Callout)[0].words).startswith(
        "There are no test clips of anger, and few of"
    )
    assert section.brief.endswith("; no clips of anger")
    table = next(each for each in blocks_of(section, Table) if each.key == "classes-r1")
    assert [cell.text for cell in table.rows[0].entries] == ["anger", "0", NOTHING, NOTHING, NOTHING]


def test_run_of_another_manifest_warns(tmp_path, rows, fake):
    run = read_runs([fake.run(tmp_path, "one", rows, "old")])[0][0]
    warnings = [plain(c.words) for c in blocks_of(run_section(run, fake.data("new")), Callout)]
    assert any("another manifest" in words for words in warnings)


def test_scores_of_every_part_stand_in_order(tmp_path, rows, fake):
    section = section_of(tmp_path, rows, fake)
    scores = next(table for table in blocks_of(section, Table) if table.key == "scores-r1")
    assert [row.entries[0].text for row in scores.rows] == ["train", "validation", "test"]
    assert scores.notes == (
        "Intervals, train and validation and test: 95 %, bootstrap over speakers, 1,000 draws.",
    )


def test_synthetic_runs_are_marked_on_every_table_and_figure(tmp_path, rows, fake):
    section = section_of(tmp_path, rows, fake, synthetic=True)
    marked = [block.marks for block in section.blocks if hasattr(block, "marks")]
    assert marked
    assert set(marked) == {("synthetic",)}


def test_run_without_metrics_says_so(tmp_path, rows, fake):
    folder = fake.run(tmp_path, "one", rows, "d")
    (folder / "metrics.csv").unlink()
    (folder / "predictions.parquet").unlink()
    section = run_section(read_runs([folder])[0][0], fake.data())
    texts = [plain(block.words) for block in section.blocks if hasattr(block, "words")]
    assert "This run has no learning curve." in texts
    assert "R1 has no stored predictions, so its calibration cannot be drawn." in texts


@pytest.mark.parametrize("parts", [("train", "validation"), ("train", "test")])
def test_runs_without_one_part_are_shown(tmp_path, rows, fake, parts):
    section = section_of(
        tmp_path, rows, fake, part_of=lambda row: parts[1] if fake.by_speaker(row) == "test" else parts[0]
    )
    classes = next(table for table in blocks_of(section, Table) if table.key == "classes-r1")
    assert classes.caption == f"Emotions of R1 on the {parts[1]} recordings"


def test_a_classifier_shows_what_was_tried_instead_of_a_curve(tmp_path, rows, fake):
    extra = {"c": 0.01, "candidates": [{"c": c, "uar": c, "accuracy": 0.5} for c in (0.001, 0.01)]}
    section = section_of(
        tmp_path, rows, fake, model="logreg", stopped="fitted with c = 0.01; 2 tried", extra=extra
    )
    tried = next(table for table in blocks_of(section, Table) if table.key == "candidates-r1")
    assert [[cell.text for cell in row.entries] for row in tried.rows] == [
        ["0.001", "0.1", "50.0"],
        ["0.01", "1.0", "50.0"],
    ]
    assert [row.entries[0].strong for row in tried.rows] == [False, True]
    told = {name: plain(words) for name, words in blocks_of(section, Facts)[0].items}
    assert told["Training"].startswith("fitted with c = 0.01; 2 tried")
    assert not [figure for figure in blocks_of(section, Figure) if figure.key.startswith("training")]


def test_a_classifier_of_folds_has_nothing_to_show(tmp_path, rows, fake):
    folds = SplitInfo(name="loso", digest="x", leaks_speakers=False, note="", fold="all")
    section = section_of(tmp_path, rows, fake, model="svm", split=folds)
    texts = [plain(block.words) for block in section.blocks if hasattr(block, "words")]
    assert "A classifier has no learning curve; its inverse penalty was chosen for each fold." in texts


def test_nothing_is_said_of_a_classifier_that_only_networks_have(tmp_path, rows, fake):
    extra = {"device": "cpu", "precision": "bf16-mixed"}
    section = section_of(tmp_path, rows, fake, model="logreg", parameters=0, extra=extra)
    told = {name: plain(words) for name, words in blocks_of(section, Facts)[0].items}
    assert told["Model"] == "logreg, preset default"
    assert told["Computed on"] == "cpu"


KNOWN = KnownCorpora.of({})


@pytest.fixture
def run(tmp_path, fake):
    return read_runs([fake.run(tmp_path, "one", fake.rows(takes=6), "d", epochs=2)])[0][0]


def test_confusions_are_told_in_words(run):
    _, sentence = emotion_blocks(run, ())
    assert plain(sentence.words).startswith("R1 most often mistakes ")


def test_perfect_run_has_no_confusions(tmp_path, rows, fake):
    run = read_runs([fake.run(tmp_path, "best", rows, "d", skill=9.0, epochs=2)])[0][0]
    assert plain(emotion_blocks(run, ())[1].words) == "R1 confused no emotions on the test recordings."
    assert len(certainty_blocks(run, ())) == 1  # a figure, and no table of mistakes


def test_mistakes_have_players_only_when_asked_for(run):
    *_, silent = certainty_blocks(run, ())
    first = silent.rows[0].entries[0].text
    *_, played = certainty_blocks(run, (), lambda name: None if name == first else b"mp3")
    assert [column.title for column in silent.columns][-1] == "Confidence"
    assert [column.title for column in played.columns][-1] == "Beginning"
    assert [row.entries[-1].sound for row in played.rows[:2]] == [b"", b"mp3"]
    assert played.rows[0].entries[-1].text == "not found"
    assert "fall under their licences" in played.notes[0]
    assert "<audio" not in html_table(silent)
    assert 'src="data:audio/mpeg;base64,bXAz"' in html_table(played)


def test_worst_groups_are_named(run, fake):
    said = " ".join(plain(block.words) for block in blocks_of(run_section(run, fake.data()), Text))
    (table,) = group_blocks(run, KNOWN, ())
    worst = min((g for g in run.shown.groups if g.by == "corpus"), key=lambda g: g.uar)
    assert f"corpus {KNOWN.title(worst.name)} ({100 * worst.uar:.1f} % over {worst.clips} clips)" in said
    assert "By modality" not in [group.title for group in table.groups]


def test_long_lists_of_speakers_are_cut(run):
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
    assert speakers.note == "the first 20 of 100; report.json has all"


def test_run_without_groups_has_no_group_table(run):
    scores = run.scores.model_copy(update={"parts": {"test": run.shown.model_copy(update={"groups": ()})}})
    assert group_blocks(type(run)(**{**vars(run), "scores": scores}), KNOWN, ()) == []


def with_threshold(run, clips=16):
    """The same run with a temperature, and a threshold that half of the clips reach."""
    known = {"clips": clips, "ece_before": 0.2, "answered": 0.5, "answered_accuracy": 0.75}
    parts = {
        part: scores.model_copy(update={"pooled": scores.pooled.model_copy(update=known)})
        for part, scores in run.scores.parts.items()
    }
    certainty = Certainty(temperature=1.25, abstain_below=0.4)
    return replace(run, scores=run.scores.model_copy(update={"parts": parts, "certainty": certainty}))


def test_temperature_and_threshold_are_told(run):
    told = plain(certainty_blocks(with_threshold(run), ())[0].words)
    assert told.startswith("The temperature 1.25 was fitted on validation recordings")
    assert "16 validation clips are too few to choose one" in told
    assert "are answered" not in told
    more = with_threshold(run, clips=60)
    wrong = round(60 * (1 - more.shown.pooled.accuracy.value))
    told = plain(certainty_blocks(more, ())[0].words)
    assert "Below a confidence of 40.0 % R1 should abstain: above it, the error rate on" in told
    assert "is at most half as high" in told
    said = f"30 of 60 clips are answered, 8 of them wrong; without abstaining, {wrong} would be wrong"
    assert f"Validation: {said.rpartition(',')[0]}" in told
    assert f"Test: {said}." in told


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


def with_groups(run, groups):
    """The same run with other groups."""
    scores = run.scores.model_copy(
        update={"parts": {"test": run.shown.model_copy(update={"groups": groups})}}
    )
    return replace(run, scores=scores)


def speaker(name, uar, emotions, clips=12):
    return GroupScores(
        by="speaker",
        name=name,
        clips=clips,
        speakers=1,
        accuracy=uar,
        uar=uar,
        macro_f1=uar,
        emotions=emotions,
    )


def test_a_group_that_lacks_emotions_is_not_compared_with_others(run, fake):
    groups = (
        speaker("both", 0.7, 4), speaker("all", 0.5, 4), speaker("one", 0.1, 1), speaker("few", 0.2, 1, 9),
    )  # fmt: skip
    told = [
        plain(block.words) for block in blocks_of(run_section(with_groups(run, groups), fake.data()), Text)
    ]
    assert (
        "Lowest UAR among groups of 10 clips or more with clips of every emotion: speaker all (50.0 % over "
        "12 clips). 1 group lacks an emotion and is not compared."
    ) in told
    (table,) = group_blocks(with_groups(run, groups), KNOWN, ())
    assert [[cell.text for cell in row.entries[:4:3]] for row in table.rows] == [
        ["all", "4"], ["both", "4"], ["one", "1"], ["few", "1"],
    ]  # fmt: skip


@pytest.mark.parametrize("emotions", [1, None])
def test_no_group_is_singled_out_where_fewer_than_two_have_every_emotion(run, emotions):
    groups = (speaker("all", 0.5, 4), speaker("one", 0.1, emotions), speaker("two", 0.2, emotions))
    assert worst_groups(with_groups(run, groups)) == ([], 2)


def test_worst_group_has_the_lowest_uar_of_its_kind(run):
    found, lacking = worst_groups(run)
    worst = {group.by: group for group in found}
    assert lacking == 0
    assert worst.keys() == {"corpus", "language", "intensity", "speaker"}  # two speakers, both of one gender
    for kind, group in worst.items():
        uars = [other.uar for other in run.shown.groups if other.by == kind and other.clips >= 10]
        assert group.uar == min(uars)


def test_groups_are_sorted_lowest_first(run):
    for groups in groups_by_kind(run).values():
        assert [group.uar for group in groups] == sorted(group.uar for group in groups)
        assert len(groups) > 1
