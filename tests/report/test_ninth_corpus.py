"""A corpus of one's own, in a package of its own, from its module to the page of the report."""

import importlib
import json

import pytest
import soundfile

from ser_pipeline.api import build_manifest
from ser_pipeline.corpora import CORPORA
from ser_pipeline.report import make_report

MODULE = '''
"""Puhe: Finnish acted speech."""

import re

from ser_pipeline.corpora.files import listed, misnamed
from ser_pipeline.records import CorpusCard, Utterance

CARD = CorpusCard(
    name="puhe",
    title="Suomen puhe",
    language="fi",
    language_name="Finnish",
    speakers=31,
    clips=4321,
    layout="01-ilo-1.wav",
    folders=(),
    style="acted",
    licence="CC0",
    source="doi:10.0/none",
)
TRACES = re.compile(r"puhe.csv")
EMOTIONS = {"ilo": "happiness", "viha": "anger"}
NAME = re.compile(r"(?P<speaker>\\d\\d)-(?P<emotion>ilo|viha)-(?P<take>\\d)")


def claims(path):
    return NAME.fullmatch(path.stem) is not None


def scan(root, files=None):
    for path in listed(root, files):
        yield parse(path)


def parse(path):
    match = NAME.fullmatch(path.stem)
    if match is None:
        return misnamed(CARD, path)
    return Utterance(
        corpus=CARD.name,
        path=path,
        canonical=path.stem,
        source_label=match["emotion"],
        emotion=EMOTIONS[match["emotion"]],
        speaker_id=f"puhe-{match['speaker']}",
        language=CARD.language,
        gender="female",
        take=match["take"],
    )
'''


@pytest.fixture
def puhe(tmp_path, monkeypatch):
    folder = tmp_path / "plugin" / "my_corpora"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "puhe.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder.parent))
    return importlib.import_module("my_corpora.puhe")


@pytest.mark.usefixtures("no_drawings")
def test_a_ninth_corpus_reaches_the_page_without_an_edit_here(puhe, tmp_path, rng):
    for number in range(12):
        name = f"{number // 4 + 1:02d}-{('ilo', 'viha')[number % 2]}-{number % 4}.wav"
        path = tmp_path / "DataSets" / "Puhe" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.normal(0, 0.1, 8_000), 16_000)
    modules = {**CORPORA, "puhe": puhe}
    summary = build_manifest(tmp_path / "DataSets", tmp_path / "manifests", corpora=modules)
    assert (summary.rows, summary.rejects) == (12, 0)
    page = make_report(tmp_path / "manifests", [], tmp_path / "out").page.read_text()
    whole = json.loads((tmp_path / "out" / "report.json").read_text())
    tables = {b["key"]: b for s in whole["sections"] for b in s["blocks"] if b["type"] == "table"}
    row = tables["corpora"]["groups"][0]["rows"][0]["cells"]
    assert row[0]["text"] == "Suomen puhe"
    assert [cell["value"] for cell in row[2:7]] == [12, 4321, pytest.approx(12 / 4321), 3, 31]
    assert tables["speaker-counts"]["groups"][0]["rows"][0]["cells"][0]["text"] == "Suomen puhe"
    assert "Suomen puhe" in tables["label-map"]["columns"]
    languages = next(b for s in whole["sections"] for b in s["blocks"] if b.get("key") == "languages")
    assert "Finnish (fi): 12" in languages["panels"][0]["alt"]
    assert "12 of the 4,321 recordings of 1 complete corpus" in page
