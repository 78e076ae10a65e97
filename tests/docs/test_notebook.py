"""The notebook's cells run, and what is stored below them is what they show."""

import ast
import contextlib
import io
import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
TEXT = PAGE.read_text(encoding="utf-8")
CELLS = json.loads(TEXT)["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def stored(cell):
    """Texts and number of pictures that the notebook holds below a cell."""
    outputs = cell["outputs"]
    printed = ["".join(each["text"]) for each in outputs if each["output_type"] == "stream"]
    data = [each["data"] for each in outputs if each["output_type"] != "stream"]
    shown = ["".join(each["text/plain"]) for each in data if "image/png" not in each]
    return "".join([*printed, *shown]), len(data) - len(shown)


def run(cell, names):
    """What a cell prints and shows, as the kernel of a notebook would say it."""
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    pictures = len(plt.get_fignums())
    plt.close("all")
    return said.getvalue() + ("" if value is None else repr(value)), pictures


@pytest.mark.slow
def test_what_is_stored_is_what_the_cells_show(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    names = {}
    for cell in CODE:
        (text, pictures), (wanted, there) = run(cell, names), stored(cell)
        assert pictures == there
        assert NUMBER.sub("#", text).split() == NUMBER.sub("#", wanted).split()
        found, numbers = ([*map(float, NUMBER.findall(each))] for each in (text, wanted))
        assert found == pytest.approx(numbers, rel=0.05, abs=0.05)


def test_it_was_run_once_from_the_top_and_without_a_complaint():
    assert [cell["execution_count"] for cell in CODE] == [*range(1, len(CODE) + 1)]
    for cell in CODE:
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"


def test_it_is_small_and_names_no_machine():
    assert len(TEXT) < 300_000
    outputs = json.dumps([cell.get("outputs") for cell in CELLS])
    assert not re.search(r"site-packages|[\"'( ](/|[A-Z]:\\)\w", outputs)


def test_its_links_lead_somewhere():
    links = [link for cell in CELLS for link in re.findall(r"\]\(([^)#]+)", "".join(cell["source"]))]
    assert len(links) > 3
    for target in links:
        assert target.startswith("https://") or (PAGE.parent / target).exists(), target
