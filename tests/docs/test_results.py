"""The tables of docs/results.md are those of their files, and the commands that measure them again work."""

import json
import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ser_pipeline.cli import app

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
def test_a_file_names_the_commands_that_measure_it(results, name):
    found = json.loads((DOCS / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert {len(row) for row in found["rows"]} == {len(found["columns"])}
    recipe = results.RECIPES.get(name)
    if recipe is None:
        assert "commands" not in found["made"]
        return
    assert found["made"]["commands"] == [*recipe.commands]
    for command in recipe.commands:
        words, inner = shlex.split(command)[1:], get_command(app)
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


def test_a_table_is_measured_again(results, small):
    assert "one.json: 1 row, 1 of them not as before" in results.main("one", small.work)
    found = json.loads(small.file.read_text(encoding="utf-8"))
    (run,) = (small.work / "runs").iterdir()
    uar = json.loads((run / "scores.json").read_text())["parts"]["test"]["pooled"]["uar"]
    shown = f"{uar['value']:.3f} ({uar['low']:.3f}-{uar['high']:.3f})"
    assert found["rows"] == [["classifier", shown]]
    assert found["made"]["commands"] == [SMALL]
    assert found["made"]["state"] == "commit abc"
    assert {"date", "versions", "machine", "recordings", "manifest"} < set(found["made"])
    text = small.page.read_text(encoding="utf-8")
    assert f"| --- | ---: |\n| classifier | {shown} |\n" in text
    assert "commit abc; `make results TABLE=one` measures it again in about a second." in text
    assert "1 row, 0 of them not as before" in results.main("one", small.work)
    assert small.ran == ["train"]  # the run of this commit is not trained again
    (small.work / "state.txt").write_text("commit before")
    results.main("one", small.work)
    assert small.ran == ["train", "train"]


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
