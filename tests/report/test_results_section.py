from dataclasses import replace

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.report.document import Text, plain
from ser_pipeline.report.method_section import method_section
from ser_pipeline.report.opening import limits_section
from ser_pipeline.report.ranking import best_by_validation, comparable
from ser_pipeline.report.results_section import comparison_table, results_section
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import Latency, SplitInfo
from ser_pipeline.tables import Table

HEARD = SplitInfo(
    name="stratified", digest="cd", leaks_speakers=True, note="speakers were heard in training."
)
pytestmark = pytest.mark.usefixtures("no_drawings")


@pytest.fixture
def runs(tmp_path, rows, fake):
    folders = [
        fake.run(tmp_path, "leaky", rows, "d", skill=0.7, split=HEARD, epochs=2),
        fake.run(tmp_path, "plain", rows, "d", skill=0.3, epochs=2),
        fake.run(tmp_path, "better", rows, "d", skill=0.6, epochs=2, synthetic=True),
    ]
    return read_runs(folders)[0]


def test_honest_splits_come_first_and_same_clips_stand_together(runs):
    assert [[run.info.name for run in group] for _, group in comparable(runs)] == [
        ["plain", "better"],
        ["leaky"],
    ]


def test_runs_on_other_clips_are_not_grouped(runs):
    other = runs[2].info.model_copy(update={"class_counts": {"test": (1, 1, 1, 1)}})
    moved = type(runs[2])(**{**vars(runs[2]), "info": other})
    assert len(comparable([*runs[:2], moved])) == 3


def test_several_draws_of_a_split_are_told_apart(runs):
    one, two = runs[1:]
    again = two.info.split.model_copy(update={"digest": "ef"})
    two = replace(two, info=two.info.model_copy(update={"split": again}))
    titles = [title for title, _ in comparable([one, two])]
    assert titles == [f"Task 4class, split speaker, draw {number}" for number in (1, 2)]


def test_best_run_is_picked_by_validation(runs):
    best = best_by_validation(runs)
    assert best.scored("validation").pooled.uar.value == max(
        run.scored("validation").pooled.uar.value for run in runs
    )


@pytest.mark.parametrize("validated", [True, False])
def test_nothing_is_bold_where_no_run_has_a_validation_score(tmp_path, rows, fake, validated):
    folds = SplitInfo(name="kfold", digest="ef", leaks_speakers=False, note="", fold="all")
    settings = {} if validated else {"split": folds, "part_of": lambda row: "test"}
    folders = [fake.run(tmp_path, name, rows, "d", epochs=2, skill=0.3, **settings) for name in "ab"]
    runs, _ = read_runs(folders)
    table = comparison_table(runs, fake.data())
    strong = [any(cell.strong for cell in row.entries) for row in table.groups[0].rows]
    assert strong == ([True, False, False] if validated else [False] * 3)  # the first of equals
    assert ("in bold" in table.notes[0]) == validated
    assert (best_by_validation(runs) is runs[0]) == validated


def test_comparison_shows_validation_beside_test(runs, fake):
    table = comparison_table(runs, fake.data())
    assert [column.heading for column in table.columns[3:5]] == ["UAR, validation, %", "UAR, test, %"]
    first, leaks, claims = table.groups
    assert first.title == "Task 4class, split speaker"
    assert leaks.marks == ("speakers heard",)
    assert leaks.note.startswith("speakers were heard in training; validation ")
    row = first.rows[0]
    scores = runs[1].scores.parts
    assert row.entries[3].value == scores["validation"].pooled.uar.value
    assert row.entries[4].value == scores["test"].pooled.uar.value
    assert row.entries[8].value == scores["test"].pooled.macro_f1.value
    assert first.rows[1].marks == ("synthetic",)
    assert first.rows[1].entries[4].strong
    assert not first.rows[0].entries[4].strong
    assert claims.marks == ("claimed",)


def test_prior_row_is_the_confound(runs, fake):
    prior = comparison_table(runs, fake.data()).groups[0].rows[-1]
    assert prior.entries[0].text == "corpus prior"
    assert [cell.value for cell in prior.entries[3:]] == [0.25, 0.25, 0.31, 0.31, None, None]


def test_claims_are_shown_as_printed_there(runs, fake):
    claims = comparison_table(runs, fake.data()).groups[-1]
    assert "claimed, clips of one speaker on both sides" in claims.note
    crnn = claims.rows[0]
    assert [cell.text for cell in crnn.entries[3:]] == [
        "\u2013",
        "\u2013",
        "81.29",
        "\u2013",
        "83.63",
        "\u2013",
    ]
    assert all(row.marks == ("claimed",) for row in claims.rows)


@pytest.mark.parametrize(
    ("corpora", "preset", "shown"),
    [(("mine",), "default", False), (("mine",), "paper", True), (("mine", "tess"), "default", True)],
)
def test_claims_stand_beside_what_the_source_report_is_about(tmp_path, rows, fake, corpora, preset, shown):
    found = read_runs([fake.run(tmp_path, "a", rows, "d", epochs=2, corpora=corpora, preset=preset)])[0]
    assert ("claimed" in comparison_table(found, fake.data()).groups[-1].marks) == shown
    limits = limits_section(fake.data(), found).blocks[0].items
    assert any("source report" in plain(item) for item in limits) == shown
    told = " ".join(plain(block.words) for block in method_section(found).blocks if isinstance(block, Text))
    assert ("source report" in told) == shown
    (table,) = [block for block in method_section(found).blocks if getattr(block, "key", "") == "settings"]
    assert table.columns[1].title == f"preset {'paper' if shown else 'default'}"


def test_runs_of_another_manifest_are_marked(runs, fake):
    assert "other manifest" in comparison_table(runs, fake.data("e")).rows[0].marks


def test_cost_counts_clips_a_second(runs, fake):
    cost = next(
        block
        for block in results_section(runs, [], fake.data()).blocks
        if getattr(block, "key", "") == "cost"
    )
    row = cost.rows[0]
    assert row.entries[1].value == 2_227_589
    assert row.entries[2].text == "8.9"
    assert row.entries[6].value == pytest.approx(runs[0].info.counts["train"] / 21.5)


def test_unfinished_runs_have_no_numbers(tmp_path, rows, fake):
    folder = fake.run(tmp_path, "started", rows, "d", finished=False, stopped=None)
    trained = fake.run(tmp_path, "trained", rows, "d")
    (trained / "scores.json").unlink()
    _, unfinished = read_runs([folder, trained])
    blocks = results_section([], unfinished, fake.data()).blocks
    table = next(block for block in blocks if isinstance(block, Table))
    assert [row.entries[4].text for row in table.rows] == [
        "the rest of its training: ser train --resume started",
        "its scores: ser evaluate trained",
    ]
    assert not any(column.numeric for column in table.columns)
    assert not any(isinstance(cell.value, int | float) for row in table.rows for cell in row.entries)


def test_no_runs_say_how_to_get_them(fake):
    (block,) = results_section([], [], fake.data()).blocks
    assert "Train and score one with ser train, then run ser report again" in plain(block.words)


def test_cost_shows_the_time_of_a_decision_where_it_was_measured(tmp_path, rows, fake):
    folder = fake.run(tmp_path, "one", rows, "d", task="4class")
    (run,) = read_runs([folder])[0]
    assert run.latency is None
    found = Latency(front_end_ms=4.25, network_ms=9.5, threads=1)
    (folder / "latency.json").write_text(found.model_dump_json())
    runs = read_runs([folder])[0]
    cost = next(
        block
        for block in results_section(runs, [], fake.data()).blocks
        if getattr(block, "key", "") == "cost"
    )
    shown = dict(zip([column.heading for column in cost.columns], cost.rows[0].entries, strict=True))
    assert (shown["Front end, ms"].value, shown["Network, ms"].value) == (4.25, 9.5)
    (folder / "latency.json").write_text("{}")
    with pytest.raises(RunError, match=r"latency\.json: front_end_ms"):
        read_runs([folder])


def test_a_classifier_has_no_number_of_parameters_where_it_counts_none(tmp_path, rows, fake):
    folder = fake.run(tmp_path, "svm", rows, "d", model="svm", parameters=0)
    (run,) = read_runs([folder])[0]
    row = comparison_table([run], fake.data()).rows[0]
    assert row.entries[2].text == "\u2013"
