"""What the pages say is what the program does."""

import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
import yaml
from typer.testing import CliRunner

import ser_pipeline
from ser_pipeline.cli import app
from ser_pipeline.corpora import CORPORA, described
from ser_pipeline.report.method_section import method_section
from ser_pipeline.report.results_section import SOURCE
from tests.report.conftest import no_drawings

__all__ = ["no_drawings"]

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_page_can_be_reached_from_the_readme(page):
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        here = ahead.pop()
        if here in seen or here.suffix != ".md":
            continue
        seen.add(here)
        links = LINK.findall(here.read_text(encoding="utf-8"))
        ahead += [(here.parent / link).resolve() for link in links if (here.parent / link).is_file()]
    assert page in seen


def test_the_command_reference_is_current(pinned):
    pinned("typer")
    written = subprocess.run(
        [sys.executable, "-m", "typer", "ser_pipeline.cli", "utils", "docs", "--name", "ser"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "TERM": "dumb"},
    ).stdout
    expected = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert written.strip() == expected.strip(), "run 'make docs'"


@pytest.mark.parametrize(("page", "script"), [("options.md", "options"), ("corpora/known.md", "known")])
def test_the_lists_of_options_and_of_described_corpora_are_current(page, script):
    written = runpy.run_path(str(ROOT / "docs" / f"{script}.py"))[f"{script}_page"]()
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == written, "run 'make docs'"


@pytest.mark.parametrize("name", sorted({*described()} - {*CORPORA}))
def test_the_list_has_a_line_for_each_described_corpus(name):
    page = (ROOT / "docs" / "corpora" / "known.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^\| `{name}`.*$", page, re.MULTILINE)
    assert described()[name].description.title in line
    assert line.endswith("| rule |")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_in_pages_exist(page, ser):
    known = ser.commands
    for line in re.findall(r"^\s*ser ([a-z][^#\n]*)", page.read_text(encoding="utf-8"), re.MULTILINE):
        words = line.split()
        assert words[0] in known, line
        inner = getattr(known[words[0]], "commands", None)
        if inner and len(words) > 1:
            assert words[1] in inner, line
        command = inner[words[1]] if inner and len(words) > 1 else known[words[0]]
        flags = {
            option
            for parameter in command.get_params(command.make_context("ser", [], resilient_parsing=True))
            for option in [*parameter.opts, *parameter.secondary_opts]
        }
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in flags | {"--help"}, line


def test_the_source_report_is_cited_wherever_it_is_spoken_of():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == ser_pipeline.__version__
    (report,) = cited["references"]
    assert (report["title"], report["year"]) == (SOURCE, 2025)
    for page in ("README.md", "docs/report.md"):
        words = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert f'"{SOURCE}" (2025)' in words
    assert SOURCE in str(method_section([]))


def follow(page, folder):
    """Run the commands and the Python of a page, in a folder; indented blocks are not run."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    threads = torch.get_num_threads()
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        with chdir(folder):
            if language == "python":
                exec(compile(block, page, "exec"), {})
                yield block
                continue
            for line in block.strip().splitlines():
                name, *words = line.split()
                assert name == "ser"
                done = CliRunner().invoke(app, words)
                assert done.exit_code == 0, f"{line}\n{done.output}"
                yield line
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def first_hour(tmp_path_factory):
    """A folder in which somebody has followed the quickstart."""
    folder = tmp_path_factory.mktemp("first-hour")
    assert len(list(follow("quickstart.md", folder))) >= 7
    return folder


@pytest.mark.slow
def test_the_quickstart_runs(first_hour):
    assert (first_hour / "reports" / "report.html").is_file()
    (scores,) = (first_hour / "runs").glob("*/scores.json")
    uar = json.loads(scores.read_text())["parts"]["test"]["pooled"]["uar"]
    assert uar["low"] > 0.25  # chance, of four emotions
    assert round(uar["value"], 2) == 0.83  # as the page says


@pytest.mark.slow
@pytest.mark.usefixtures("no_drawings")
def test_the_tutorial_on_a_corpus_of_ones_own_runs(tmp_path):
    assert [*follow("tutorials/own-corpus.md", tmp_path)]
    rows = (tmp_path / "talks.csv").read_text().splitlines()
    assert len(rows) == 1 + 4 * 16  # emotions, voices
    assert (tmp_path / "reports" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("no_drawings")
@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("paper.md", "runs/svm/scores.json"),
        ("encoders.md", "runs/features/scores.json"),
        ("serving.md", "runs/served/model.onnx"),
    ],
)
def test_the_tutorials_run_where_the_quickstart_ends(page, made, first_hour, tmp_path):
    folder = shutil.copytree(first_hour, tmp_path / "here")
    assert [*follow(f"tutorials/{page}", folder)]
    assert (folder / made).is_file()


ELSEWHERE = {
    "cache augment": "the page on the built-in model trains for hours",
    "cache embeddings": "real encoders, in tests/encoders/test_embed.py",
    "cache mels": "tests/test_chain.py",
    "corpora check": "its status is 1 where a copy is not complete; tests/acquire/test_check.py",
    "corpora download": "from the internet; tests/acquire/test_download.py",
    "demo": "it serves until it is stopped; tests/serving/test_page.py",
    "export mine --front-end": "a network on mels; tests/serving/test_export.py",
    "export mine --int8": "a model with linear layers; tests/serving/test_export.py",
    "experiment run": "hours; tests/cli/test_experiment.py",
    "listen": "a microphone; tests/cli/test_predict_listen.py",
    "manifest doctor": "its status is 1 where it finds something grave; tests/cli/test_doctor.py",
    "paper": "hours; tests/cli/test_experiment.py",
    "train crnn": "tests/test_chain.py",
}
"""Commands in pages that are not run from there, and why or where they are."""


@pytest.fixture(scope="module")
def played(first_hour, tmp_path_factory):
    """A folder with all that the examples of the pages speak of."""
    folder = shutil.copytree(first_hour, tmp_path_factory.mktemp("played") / "here")
    wave, rate = sf.read(folder / "DataSets" / "EmoDB" / "wav" / "03a01Wa.wav")
    for name in ("a.wav", "b.wav", "talk.wav", "talk.mp3", "recordings/a.wav", "podcasts/a.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        sf.write(folder / name, wave, rate)
    (folder / "Mine").mkdir()
    for person, emotion in product("abc", ("anger", "sadness", "neutral")):
        sf.write(folder / "Mine" / f"{person}_{emotion}.wav", wave, rate)
    shutil.copytree(folder / "DataSets" / "TESS", folder / "Few" / "TESS")
    with chdir(folder):
        (first,) = [path.name for path in (folder / "runs").iterdir() if path.is_dir()]
        for words in (
            "manifest build --data Few --out few",
            "train logreg --name mine",
            "cache mels --denoise none --limit 4",
        ):
            assert CliRunner().invoke(app, words.split()).exit_code == 0
        (store,) = Path("cache/mels").iterdir()
    names = {
        "logreg-4class-speaker": "mine",
        "DataSets/Mine": "Mine",  # the manifest is built again, and it is no part of that
        "OtherSets": "Few",
        "ser predict manifests": "ser predict few",
        'size="small"': 'size="small", corpora=["tess"]',
        "--model model.onnx": "--model runs/mine/model.onnx",
        "runs/best": "runs/mine",
        "export best": "export mine",
        "RUN RUN": f"mine {first}",
        "RUN": "mine",
        "0123456789abcdef": store.name,
        "--jobs 16": "--jobs 1",  # a process more takes longer to begin than these few clips
        "jobs=2": "jobs=1",
    }
    return folder, names


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        "README",
        *(
            f"docs/{name}"
            for name in [
                "evaluation",
                "explain",
                "export",
                "manifest",
                "predict",
                "report",
                "splits",
                "store",
                "synthetic",
            ]
        ),
    ],
)
def test_examples_run_or_are_run_elsewhere(page, played, monkeypatch):
    folder, names = played
    monkeypatch.chdir(folder)
    text, ran = (ROOT / f"{page}.md").read_text(encoding="utf-8"), 0
    for before, after in names.items():
        text = text.replace(before, after)
    for language, block in re.findall(r"^```(sh|python)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language == "python":
            exec(compile(block, page, "exec"), {"microphone": [np.zeros(16_000, np.float32)]})
            ran += 1
            continue
        for line in block.strip().splitlines():
            name, *words = shlex.split(line, comments=True) or [""]
            if name != "ser" or "dask" in words or " ".join(words).startswith(tuple(ELSEWHERE)):
                continue
            if "--hub" in words:
                shutil.rmtree("folder", ignore_errors=True)
            done = CliRunner().invoke(app, words, input=Path("a.wav").read_bytes())
            assert done.exit_code == 0, f"{line}\n{done.output}"
            ran += 1
    assert ran
