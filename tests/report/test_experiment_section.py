import json

import pytest

from ser_pipeline.report import make_report
from ser_pipeline.report.document import Text, plain
from ser_pipeline.report.experiment_section import comparison, experiment_sections
from ser_pipeline.runs.findings import (
    ArmFinding,
    Beside,
    ClaimFinding,
    CorpusScore,
    Figures,
    Findings,
    ProtocolNote,
)
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.tables import Table
from ser_pipeline.tables.table import MINUS
from tests.report.conftest import data_of

FIGURES = Figures(
    first=0.6, second=0.55, difference=0.05, low=-0.01, high=0.1, p=0.2, clips=100, speakers=9, seeds=(3, 3)
)


def claim(**changes):
    values = {
        "text": "A beats B", "family": "H1", "kind": "better", "score": "UAR", "unit": "points", "first": "a",
        "second": "b", "protocol": "people", "figures": FIGURES, "corrected_p": 0.4,
        "outcome": "not decidable here",
    }  # fmt: skip
    return ClaimFinding(**{**values, **changes})


def arm(name, protocol="people", **changes):
    values = {
        "model": "dnn", "done": 3, "failed": 0, "waiting": 0, "clips": 100, "speakers": 9,
        "accuracy": Estimate(value=0.61, low=0.5, high=0.7), "uar": Estimate(value=0.6, low=0.5, high=0.7),
        "macro_f1": Estimate(value=0.59, low=0.5, high=0.7), "lowest_uar": 0.58, "highest_uar": 0.62,
        "seconds": 12.0, "clips_per_second": 30.0,
        "corpora": (
            CorpusScore(corpus="emodb", clips=50, speakers=4, uar=0.7),
            CorpusScore(corpus="nemo", clips=50, speakers=5, uar=0.5),
        ),
    }  # fmt: skip
    return ArmFinding(arm=name, protocol=protocol, **{**values, **changes})


def findings(**changes):
    values = {
        "name": "mine", "title": "Mine", "about": "What it is for.", "manifest_digest": "d",
        "synthetic": False,
        "corpora": ("emodb", "nemo"), "seeds": (0, 1, 2), "interval": "drawn",
        "protocols": (
            ProtocolNote(name="people", split="kfold", leaks_speakers=False, note="Nobody is heard."),
            ProtocolNote(name="clips", split="stratified", leaks_speakers=True, note="All are heard."),
        ),
        "arms": (arm("a"), arm("b"), arm("a", "clips")),
        "claims": (claim(),),
    }  # fmt: skip
    return Findings(**{**values, **changes})


def tables(found, digest="d"):
    _, section = experiment_sections([found], data_of(digest))
    return {block.key: block for block in section.blocks if isinstance(block, Table)}


def texts(row):
    return [cell.text for cell in row.entries]


def test_without_experiments_there_is_no_chapter():
    assert experiment_sections([], data_of()) == ()


def test_a_claim_shows_verdict_figures_and_what_was_tested():
    (row,) = tables(findings())["claims-mine"].rows
    assert texts(row) == ["A beats B", "not decidable here", "60.0", "55.0", "+5.0", "0.400", "100", "9"]
    assert row.entries[4].note == f"{MINUS}1.0 to +10.0"
    assert row.entries[0].note == "UAR of a : b; protocol people"


def test_a_small_p_is_not_shown_as_zero():
    (row,) = tables(findings(claims=(claim(corrected_p=0.0004),)))["claims-mine"].rows
    assert (row.entries[5].text, row.entries[5].value) == ("< 0.001", 0.0004)


def test_what_did_not_run_shows_no_figure():
    found = findings(claims=(claim(figures=None, corrected_p=None, outcome="not run", reason="3 missing"),))
    (row,) = tables(found)["claims-mine"].rows
    assert row.entries[1].text == "not run"
    assert [cell.value for cell in row.entries[2:]] == [None] * 6
    assert row.entries[0].note.endswith("3 missing")


def test_other_units_are_not_percent():
    distance = claim(unit="distance", score="distance of errors")
    speed = claim(unit="clips/s", score="speed", figures=FIGURES.model_copy(update={"first": 45.25}))
    rows = tables(findings(claims=(distance, speed)))["claims-mine"].rows
    assert texts(rows[0])[2:5] == ["0.6", "0.55", "+0.05"]
    assert rows[1].entries[2].text == "45.2"
    assert rows[1].entries[7].value is None


def test_families_are_groups():
    found = findings(claims=(claim(), claim(family="H2"), claim(text="C")))
    groups = tables(found)["claims-mine"].groups
    assert [(group.title, len(group.rows)) for group in groups] == [("H1", 2), ("H2", 1)]


def test_the_protocol_beside_is_marked_and_named():
    beside = Beside(protocol="clips", figures=FIGURES, note="knowing the speakers makes +20.0 points for a")
    (group,) = tables(findings(claims=(claim(beside=beside), claim())))["beside-mine"].groups
    assert group.marks == ("speakers heard",)
    assert [row.entries[-1].text for row in group.rows] == ["knowing the speakers makes +20.0 points for a"]


def test_arms_stand_under_their_protocol():
    people, clips = tables(findings())["arms-mine"].groups
    assert [row.entries[0].text for row in people.rows] == ["a", "b"]
    assert (people.marks, clips.marks) == ((), ("speakers heard",))
    assert texts(people.rows[0])[1:6] == ["3", "100", "9", "61.0", "60.0"]
    rest = arm("z", done=1, waiting=2, reason="the budget was over")
    row = tables(findings(arms=(rest,)))["arms-mine"].rows[0]
    assert (row.entries[1].text, row.entries[0].note) == ("1 of 3", "the budget was over")


def test_corpora_are_columns():
    table = tables(findings())["corpora-mine"]
    assert [column.heading for column in table.columns] == ["Arm", "nEMO", "EMO-DB"]
    assert texts(table.rows[0]) == ["a", "50.0", "70.0"]


@pytest.mark.parametrize(
    ("changes", "digest", "marks"),
    [
        ({}, "d", ()),
        ({"synthetic": True}, "d", ("synthetic",)),
        ({}, "new", ("other manifest",)),
    ],
)
def test_marks(changes, digest, marks):
    assert experiment_sections([findings(**changes)], data_of(digest))[1].marks == marks


def test_failures_and_cut_trainings_are_said():
    found = findings(epochs=5, arms=(arm("a", done=0, failed=3, reason="no store"),))
    words = [
        plain(block.words)
        for block in experiment_sections([found], data_of())[1].blocks
        if hasattr(block, "tone")
    ]
    assert words == [
        "Networks were trained for at most 5 epochs.",
        "Runs of 1 arm failed, for example a: no store.",
    ]


def test_the_page_holds_it_escaped_and_names_what_it_cannot_read(manifests, tmp_path):
    path = tmp_path / "runs" / "experiments" / "mine" / "findings.json"
    path.parent.mkdir(parents=True)
    path.write_text(findings(claims=(claim(text="<b>A</b>"),)).model_dump_json())
    bad = tmp_path / "runs" / "experiments" / "other" / "findings.json"
    bad.parent.mkdir()
    bad.write_text("{")
    summary = make_report(manifests, [], tmp_path / "out", experiments=[path, bad])
    page = summary.page.read_text()
    assert "&lt;b&gt;A&lt;/b&gt;" in page
    assert "<b>A</b>" not in page
    assert [line.partition(" could")[0] for line in summary.unread] == ["experiment other"]
    whole = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "experiment-mine" in [section["key"] for section in whole["sections"]]


@pytest.mark.parametrize(
    ("changes", "claimed"),
    [
        ({}, "more"),
        ({"claimed": 0.01}, "1 point more"),
        ({"claimed": 0.005}, "0.5 points more"),
        ({"unit": "distance"}, "nearer"),
        ({"kind": "no worse", "claimed": -0.02}, "at most 2 points less"),
        ({"kind": "reaches", "claimed": 0.8129}, "81.29 %"),
        ({"kind": "faster"}, "faster"),
        ({"kind": "best class"}, "the best"),
        ({"kind": "top confusions"}, "the most"),
    ],
)
def test_a_comparison_says_what_is_claimed(changes, claimed):
    page = comparison(findings(claims=(claim(**changes),)))
    (table,) = page.sections[0].blocks
    assert table.rows[0].entries[1].text == claimed


def test_the_command_names_the_file_of_an_experiment():
    for source, command in (("my own/lk.toml", "'my own/lk.toml'"), ("", "mine")):
        _, part = experiment_sections([findings(source=source)], data_of())
        words = [plain(block.words) for block in part.blocks if isinstance(block, Text)]
        assert any(f"Continue with ser experiment run {command}." in each for each in words)


def test_a_comparison_says_what_was_measured_and_what_not():
    beside = Beside(protocol="clips", figures=FIGURES.model_copy(update={"difference": 0.2, "low": None}))
    waiting = claim(text="Later", figures=None, outcome="not run", reason="3 runs are missing")
    page = comparison(
        findings(claims=(claim(beside=beside), waiting), arms=(arm("crnn", clips_per_second=50.0),))
    )
    done, later = page.sections[0].blocks[0].rows
    shown = [entry.text for entry in done.entries]
    assert shown[2:] == ["60.0", "55.0", "+5.0", "not decidable here", "+20.0"]
    assert done.entries[4].note == f"{MINUS}1.0 to +10.0"
    assert (later.entries[5].text, later.entries[5].note) == ("not run", "3 runs are missing")
    told = [plain(block.words) for block in page.opening]
    assert any("three seconds in 20.0 ms" in words for words in told)
    assert any("Continue with ser paper --budget 1h." in words for words in told)
    assert not page.banner
    assert comparison(findings(synthetic=True)).banner.startswith("Synthetic recordings")
