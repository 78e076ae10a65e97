"""The tables of docs/results.md are those of their files, and the commands that measure them again work."""

import json
import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import pytest
from typer.testing import CliRunner

from ser_pipeline.cli import app
from tests.report.test_experiment_section import FIGURES, arm, claim, findings

DOCS = Path(__file__).parents[2] / "docs"
TABLES = sorted(path.stem for path in (DOCS / "results").glob("*.json"))
SMALL = "ser train logreg --c 0.01 --threads 1"


@pytest.fixture(scope="module")
def results():
    spec = spec_from_file_location("results", DOCS / "results.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_what_the_files_hold(results):
    assert results.page_text() == results.PAGE.read_text(encoding="utf-8"), "run 'make docs'"
    assert {*results.RECIPES} | {"speed-others"} == {*TABLES}


@pytest.mark.parametrize("name", TABLES)
def test_a_file_names_the_commands_that_measure_it(results, ser, name):
    found = json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert {len(row) for row in found["rows"]} == {len(found["columns"])}
    recipe = results.RECIPES.get(name)
    if recipe is None:
        assert "commands" not in found["made"]
        return
    assert found["made"]["commands"] == [*recipe.commands]
    seen = set()
    for command in recipe.commands:
        words, inner = shlex.split(command)[1:], ser
        if seen.issuperset(words):
            continue
        seen.update(words)
        while hasattr(inner, "commands"):
            inner = inner.commands[words.pop(0)]
        inner.make_context("ser", words)  # fails where a flag or a value does not exist


@pytest.fixture
def small(results, toy, tmp_path, monkeypatch):
    """A page with one table, of one run on the toy."""
    toy.write_features()
    page, folder = tmp_path / "page.md", tmp_path / "tables"
    folder.mkdir()
    marks = [f"<!-- table {name} -->\n\n<!-- end of {name} -->\n" for name in ("summary", "one")]
    page.write_text("".join(marks))
    monkeypatch.setattr(results, "PAGE", page)
    monkeypatch.setattr(results, "FOLDER", folder)
    monkeypatch.setattr(results, "summary", lambda: "| in points |")
    monkeypatch.setattr(results, "_first", lambda commands, data: ())
    recipe = results.trained("a second", [["classifier", SMALL]], results.uar)
    monkeypatch.setattr(results, "RECIPES", {"one": recipe})
    results.write(
        "one", ["model", "UAR"], [["classifier", "0.1 (0.0-0.2)"]], {"date": "2026-11-25", "state": ""}, 1
    )
    monkeypatch.setenv("SER_REAL_DATA", str(tmp_path))
    ran = []

    def run(words, cwd=None, **options):
        if "-m" not in words:
            return SimpleNamespace(stdout="commit abc\n")
        monkeypatch.chdir(cwd)
        done = CliRunner().invoke(app, words[3:])
        assert done.exit_code == 0, done.output
        ran.append(words[3])
        return SimpleNamespace(stdout=None)

    monkeypatch.setattr(results.subprocess, "run", run)
    return SimpleNamespace(page=page, file=folder / "one.json", work=toy.folder, ran=ran)


def test_a_table_is_measured_again(results, small, monkeypatch):
    assert "one.json: 1 row, 1 of them not as before" in results.main("one", small.work)
    found = json.loads(small.file.read_text(encoding="utf-8"))
    (run,) = (small.work / "runs").glob("[!.]*")
    uar = json.loads((run / "scores.json").read_text())["parts"]["test"]["pooled"]["uar"]
    shown = f"{uar['value']:.3f} ({uar['low']:.3f}-{uar['high']:.3f})"
    assert found["rows"] == [["classifier", shown]]
    assert results.all_scores(run)[2:] == [f"**{results.points(SimpleNamespace(**uar))}**", ANY, "c 0.01"]
    assert results.costs(run) == ["1,016", ANY, ANY]
    assert found["made"]["commands"] == [SMALL]
    assert found["made"]["state"] == "commit abc"
    assert {"date", "versions", "machine", "recordings", "manifest"} < set(found["made"])
    text = small.page.read_text(encoding="utf-8")
    assert f"| --- | ---: |\n| classifier | {shown} |\n" in text
    assert "commit abc; `make results TABLE=one` measures it again in about a second." in text
    assert "1 row, 0 of them not as before" in results.main("one", small.work)
    assert small.ran == ["train"]  # the run of this commit is not trained again
    (small.work / "state.txt").write_text("commit before")
    monkeypatch.setattr(results, "shlex", SimpleNamespace(split=lambda command: ["ser", "--version"]))
    with pytest.raises(FileNotFoundError):  # but that of another commit is removed
        results.main("one", small.work)


def test_tables_of_an_experiment_are_read_off_its_findings(results, tmp_path):
    speed = FIGURES.model_copy(update={"first": 62.0, "second": 36.0, "difference": 26.0, "low": None})
    faster = claim(text="A is faster", kind="faster", unit="clips/s", figures=speed, corrected_p=None)
    waiting = claim(figures=None, outcome="not run")
    for name in ("mine", "cross-corpus"):
        folder = tmp_path / "runs" / "experiments" / name
        folder.mkdir(parents=True)
        made = findings(
            name=name, claims=(claim(), faster, waiting), arms=(arm("a"), arm("b", uar=None, corpora=()))
        )
        (folder / "findings.json").write_text(made.model_dump_json())
    assert results.judged("mine", "*", "").rows(tmp_path) == [
        ["A beats B", "not decidable here", "60.0", "55.0", "+5.0 (-1.0 to +10.0)", "0.400", "100, 9"],
        ["A is faster", "not decidable here", "62", "36", "+26", "", "100, 9"],
    ]
    assert results.judged("mine", "*", "", arms=True).rows(tmp_path) == [
        ["a", "`people`", "61.0", "60.0 (50.0-70.0)", "58.0-62.0", "12", "30"]
    ]
    assert results.by_corpus(tmp_path) == [["arm", "emodb", "nemo"], ["a", "70.0", "50.0"]]


def test_speed_is_read_off_what_the_bench_printed(results, tmp_path):
    (tmp_path / "bench.csv").write_text(
        "work,rate,unit,ratio,against,floor,goal,how\nmels,154.0,clips/s,10.6,librosa,4.0,8.0,\npeak,292.0,MiB,,,,,\n"
    )
    assert results.measured(tmp_path) == [
        ["mels", "154.0 clips/s", "10.6", "librosa", "4.0, 8.0"],
        ["peak", "292.0 MiB", "", "", ""],
    ]


def test_what_is_missing_is_said_in_a_line(results, monkeypatch, tmp_path):
    assert "TABLE=none: no command measures such a table; choose one of speakers-4," in results.missing(
        "none"
    )
    monkeypatch.setenv("SER_REAL_DATA", str(tmp_path))
    monkeypatch.delenv("SER_REAL_ENCODERS", raising=False)
    assert results.missing("features-4") == ""
    assert results.missing("speakers-4").startswith("SER_REAL_ENCODERS does not name the folder")
    monkeypatch.delenv("SER_REAL_DATA")
    assert results.missing("features-4").startswith(
        "SER_REAL_DATA does not name the folder that holds the corpora"
    )


def test_a_page_without_a_table_is_refused(results, small):
    small.page.write_text("# Page\n")
    with pytest.raises(ValueError, match="the files are one, summary"):
        results.page_text()
    small.page.write_text("<!-- table summary -->\n\n<!-- end of summary -->\n<!-- table one -->\n")
    with pytest.raises(ValueError, match="'<!-- end of one -->' is missing"):
        results.page_text()
