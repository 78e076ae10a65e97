import json
import re

import pytest

from ser_pipeline.report import make_report
from ser_pipeline.report.document import Callout, Figure, plain
from ser_pipeline.report.explain_section import explain_section
from ser_pipeline.runs.explanation import Interval
from ser_pipeline.runs.find import choose_runs
from ser_pipeline.runs.read import read_runs
from ser_pipeline.tables import Table

EVIL = "<img src=x onerror=alert(1)>'\"&{{7*7}}`|"

pytestmark = pytest.mark.usefixtures("no_drawings")


@pytest.fixture
def run(tmp_path, rows, fake):
    return read_runs([fake.run(tmp_path, "one", rows, "d", epochs=2)])[0][0]


def tables(section):
    return {block.key: block for block in section.blocks if isinstance(block, Table)}


def texts(row):
    return [cell.text.replace("\u2212", "-") for cell in row.entries]


def test_section_says_what_was_done(run, fake):
    section = explain_section(run, fake.explanation(), fake.data())
    assert (section.key, section.title, section.level) == (
        "explain-r1",
        "R1: importance and effects of features",
        3,
    )
    opening = plain(section.blocks[0].words)
    assert "R1 reaches a UAR of 61.0 % (50.0\u201370.0) on 36 test clips of 2 speakers" in opening
    assert "20 times" in opening
    assert "over 90 clips of 9 speakers of all parts" in opening
    assert [plain(block.words) for block in section.blocks if isinstance(block, Callout)] == ["A remark."]


def test_groups_and_features_are_listed_by_what_they_cost(run, fake):
    found = tables(explain_section(run, fake.explanation(), fake.data()))
    groups = [texts(row) for row in found["group-importance-r1"].rows]
    assert groups == [
        ["pitch", "2", "5.0", "1.1"],
        ["energy", "1", "3.0", "1.1"],
        ["rhythm", "1", "1.0", "1.1"],
    ]
    features = [texts(row) for row in found["feature-importance-r1"].rows]
    assert [row[0] for row in features] == ["pitch_st_mean", "pitch_hz_std", "level_mean", "tempo"]
    assert features[0] == ["pitch_st_mean", "pitch", "Hz", "5.0", "anger +1.50"]
    assert features[3] == ["tempo", "rhythm", "Hz", "-1.0", ""]  # it has no effect at all
    assert found["feature-importance-r1"].rows[3].entries[3].note.replace("\u2212", "-") == "-3.0 to 2.0"
    assert found["group-importance-r1"].notes == ("Intervals: how drops were drawn.",)


def test_clear_groups_are_named(run, fake):
    section = explain_section(run, fake.explanation(), fake.data())
    told = " ".join(plain(block.words) for block in section.blocks if hasattr(block, "words"))
    assert "The most important group is pitch, with a drop of 5.0 (3.0\u20138.0) points; the most " in told
    assert "Groups whose interval lies above zero: pitch, energy." in told


def test_no_interval_is_no_clear_group(run, fake):
    whole = fake.explanation()
    bare = [each.model_copy(update={"drop": Interval(value=0.1)}) for each in whole.group_importances]
    section = explain_section(run, whole.model_copy(update={"group_importances": tuple(bare)}), fake.data())
    told = " ".join(plain(block.words) for block in section.blocks if hasattr(block, "words"))
    assert "No group has an interval that lies above zero." in told


def test_only_the_first_features_are_shown(run, fake):
    names = [f"f{number}" for number in range(30)]
    many = fake.explanation(names=names, groups=["g"] * 30)
    found = tables(explain_section(run, many, fake.data()))
    assert len(found["feature-importance-r1"].rows) == 20
    assert found["feature-importance-r1"].notes == ("All 30 are listed in explanation.json of the run.",)


def test_marks_of_the_run_stand_on_every_table_and_figure(run, fake):
    section = explain_section(run, fake.explanation(), fake.data("another"))
    assert section.marks == ("other manifest",)
    blocks = [block for block in section.blocks if isinstance(block, Table | Figure)]
    assert len(blocks) > 8
    assert all(block.marks == section.marks for block in blocks)


@pytest.fixture
def made(tmp_path, rows, manifests, fake):
    """A report of an explained run whose features have hostile names, and one that is not explained."""
    digest = fake.digest(manifests)
    runs = tmp_path / "runs"
    folder = fake.run(runs, "one", rows, digest, epochs=2)
    fake.run(runs, "two", rows, digest, epochs=2)
    hostile = fake.explanation(
        names=(EVIL, "a_b", "c", "d"), groups=(EVIL, "g", "h", "i"), languages=("de", EVIL), notes=(EVIL,)
    )
    (folder / "explanation.json").write_text(hostile.model_dump_json())
    make_report(manifests, choose_runs(runs), tmp_path / "out")
    return tmp_path / "out"


def test_only_an_explained_run_has_the_section(made):
    whole = json.loads((made / "report.json").read_text())
    keys = [section["key"] for section in whole["sections"]]
    assert keys.index("explain-r1") == keys.index("run-r1") + 1
    assert "explain-r2" not in keys


def test_hostile_names_are_text(made):
    page = (made / "report.html").read_text()
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert not re.search(r"<img\b", page)
    markdown = (made / "report.md").read_text()
    assert not re.search(r"(?<!\\)<img", markdown)


def test_all_three_texts_have_the_numbers(made):
    page, markdown = (made / "report.html").read_text(), (made / "report.md").read_text()
    whole = json.loads((made / "report.json").read_text())
    section = next(each for each in whole["sections"] if each["key"] == "explain-r1")
    cell = next(block for block in section["blocks"] if block.get("key") == "profiles-r1")
    first = cell["groups"][0]["rows"][0]["cells"]
    assert first[2] == {"value": 1.25, "text": "+1.25", "note": "+0.50 to +2.00"}
    for text in (page, markdown):
        assert "+0.50 to +2.00" in text
        assert "of 2 clear effects with a published direction 1 have that direction" in text
