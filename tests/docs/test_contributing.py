"""The rooms of docs/contributing.md are those of the package, and its recipes work."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
RECIPES = re.findall(
    r"```(?:python|text|toml)\n# (\S+\.(?:py|toml))(?:, (before|after) the line of ([^\n]+))?\n(.*?)```",
    PAGE,
    re.DOTALL,
)
"""Of each block the file, where in it the lines go, and the lines."""
LAYERS = configparser.ConfigParser(interpolation=None)
LAYERS.read(ROOT / ".importlinter")
ORDER = [
    re.findall(r"\w+", line) for line in LAYERS["importlinter:contract:layers"]["layers"].strip().splitlines()
]
"""Rooms of each layer, the highest first."""


def test_the_page_names_every_room_once():
    table = PAGE.partition("| room | gives |")[2].partition("\n\n")[0]
    named = [room for line in table.splitlines() for room in re.findall(r"`(\w+)`", line.split(" | ")[0])]
    there = {
        path.stem
        for path in (ROOT / "ser_pipeline").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert sorted(named) == sorted(there - {"__init__", "__main__"})


def test_every_arrow_of_the_picture_leads_to_a_higher_layer_which_imports_its_tail():
    height = {room: -number for number, rooms in enumerate(ORDER) for room in rooms}
    picture = re.findall(r"^    (\w.* --> .*)$", PAGE, re.MULTILINE)
    arrows = [
        (tail, head)
        for line in picture
        for tails, heads in zip(line.split(" --> "), line.split(" --> ")[1:], strict=False)
        for tail in tails.split(" & ")
        for head in heads.split(" & ")
    ]
    assert len(arrows) > 20
    for tail, head in arrows:
        assert height[tail] < height[head], (tail, head)
        place = ROOT / "ser_pipeline" / head
        files = [*place.rglob("*.py")] if place.is_dir() else [place.with_suffix(".py")]
        assert any(f"ser_pipeline.{tail}" in file.read_text(encoding="utf-8") for file in files), (tail, head)


def put(root: Path, path: str, side: str, anchor: str, text: str) -> None:
    """Write a new file, or lines beside the one line of a file that holds ``anchor``, indented alike."""
    file = root / path
    if not side:
        assert not file.exists(), path
        file.write_text(text, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if anchor in line]
    margin = re.match(" *", lines[place]).group()
    lines.insert(place + (side == "after"), indent(text, margin))
    file.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A copy of package and tests with every recipe in it."""
    root = tmp_path_factory.mktemp("contributing")
    for folder in ("ser_pipeline", "tests"):
        shutil.copytree(ROOT / folder, root / folder)
    for name in ("pyproject.toml", ".importlinter"):
        shutil.copy(ROOT / name, root)
    for recipe in RECIPES:
        put(root, *recipe)
    return root


def ran(root, *words):
    """Run a module of Python in a folder, whose package it sees."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SAME_KIND = {
    "tests/corpora/test_known.py": "voices",
    "tests/models/test_network.py": "mean",
    "tests/losses/test_classification_ce.py": "symmetric",
}
"""Tests of all of a kind, and the words that choose those of the recipes' own."""


@pytest.mark.slow
def test_every_recipe_works_and_passes_what_all_of_its_kind_do(changed, pytestconfig):
    tests = [path for path, side, *_ in RECIPES if path.startswith("tests/") and not side]
    assert len(tests) == len(re.findall(r"^### ", PAGE, re.MULTILINE))
    own = " or ".join(Path(test).stem for test in tests)
    words = " or ".join(f"({Path(file).stem} and {names})" for file, names in SAME_KIND.items())
    said = ran(
        changed,
        "pytest",
        "-rA",
        "-q",
        "-p",
        "no:cacheprovider",
        *(f"-W{each}" for each in pytestconfig.getoption("pythonwarnings") or ()),
        "-k",
        f"{own} or {words}",
        *tests,
        *SAME_KIND,
    )
    passed = re.findall(r"^PASSED (\S+?)::", said, re.MULTILINE)
    assert {*passed} == {*tests, *SAME_KIND}
    assert all(passed.count(test) == 1 for test in tests)


def test_recipes_are_written_in_the_style_of_the_house(changed):
    touched = sorted({path for path, *_ in RECIPES if path.endswith(".py")})
    ran(changed, "ruff", "check", "--no-cache", "--select", "I", "--fix", *touched)
    ran(changed, "ruff", "check", "--no-cache", *touched)
    ran(changed, "ruff", "format", "--no-cache", "--check", *touched)
