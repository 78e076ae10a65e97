import pytest

from ser_pipeline.report.document import Callout, Facts, Figure, plain
from ser_pipeline.report.run_section import run_section
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import SplitInfo
from ser_pipeline.tables import Table

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
    assert notes == ["The test recordings come from 2 speakers only: read the scores of each one, below."]


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
    assert "This run kept no learning curve." in texts
    assert "R1 kept no predictions: its calibration cannot be drawn." in texts


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
    section = section_of(tmp_path, rows, fake, model="svm")
    texts = [plain(block.words) for block in section.blocks if hasattr(block, "words")]
    assert "A classifier has no learning curve; of each fold its own penalty was chosen." in texts
