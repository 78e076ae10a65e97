import csv
import io
import json
import re

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli.corpora import app
from ser_pipeline.corpora import known_corpora
from ser_pipeline.synth import MARKER

TINY = ["--seed", "3", "--size", "small", "--corpora", "tess"]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with two recordings of EMO-DB and a description of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("EmoDB/wav/03a01Fa.wav", "EmoDB/wav/08a01Wa.wav", "voices/f1_rab.wav"):
        path = tmp_path / "DataSets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    own = tmp_path / "corpora" / "voices.toml"
    own.parent.mkdir()
    own.write_text(
        "name = 'voices'\ntitle = 'Voices'\nclips = 1\nspeakers = 1\nlicence = 'CC0, by its makers'\n"
        "pattern = '(?P<speaker>f\\d)_(?P<emotion>rab)'\ncodes.emotion.rab = 'anger'\nnotes = 'Short.'\n"
    )
    return tmp_path


def test_list_has_every_card_and_what_is_found(here):
    rows = {row["corpus"]: row for row in json.loads(run("list", "--format", "json").stdout)}
    assert set(rows) == set(known_corpora()) | {"voices"}
    for name, corpus in known_corpora().items():
        row, card = rows[name], corpus.CARD
        assert (row["clips"] or 0, row["speakers"] or 0) == (card.clips, card.speakers)
        assert (row["layout"], row["licence"], row["source"]) == (card.layout, card.licence, card.source)
        assert row["own"] == "no"
    assert (rows["emodb"]["state"], rows["emodb"]["found"]) == ("partial", 2)
    assert rows["emodb"]["missing"].startswith("533 of 535 recordings; 8 speakers of 10: 09, 10,")
    assert (rows["tess"]["state"], rows["tess"]["missing"]) == ("", "")
    assert (rows["voices"]["state"], rows["voices"]["own"]) == ("complete", "yes")
    assert rows["voices"]["emotion_names"] == "anger"


def test_list_as_csv_and_as_a_table_that_marks_own_descriptions(here):
    rows = list(csv.DictReader(io.StringIO(run("list", "--format", "csv").stdout)))
    assert "emodb" in [row["corpus"] for row in rows]
    lines = run("list").stdout.splitlines()
    assert any(re.match(r"voices \* +und +1 +1 +1 +complete +CC0$", line) for line in lines)
    assert any(re.search(r"emodb .* 2 +free for research$", line) for line in lines)
    assert lines[-1] == "* your own description"


def test_the_list_fits_a_narrow_screen(here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    lines = re.sub(r"\x1b\[\d*m", "", run("list").stdout).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("ravdess-song ") for line in lines)


def test_list_without_data_is_a_list_and_a_wrong_folder_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "emodb" in run("list").stdout
    wrong = run("list", "--data", "gone")
    assert wrong.exit_code == 1
    assert wrong.stderr == "ser: gone: no such folder; pass the folder that holds the recordings\n"


def test_show_tells_all_of_one_corpus(here):
    shown = run("show", "emodb").stdout
    for line in ("language           German (de)", "access             open", "sample rate, Hz    16000",
                 "found              2 recordings of 2 speakers in DataSets/EmoDB/wav",
                 "missing            533 of 535 recordings"):  # fmt: skip
        assert line in shown.splitlines()
    assert re.search(r"^W +anger +127 +1$", shown, re.MULTILINE)
    own = run("show", "voices").stdout
    assert re.search(r"corpus +voices, by your own description\n", own)
    assert re.search(
        r"tried on +not tried by this toolkit: it is your own description\nnotes +Short\.\n", own
    )
    rows = json.loads(run("show", "emodb", "--format", "json").stdout)
    assert {"about": "published recordings", "key": "anger", "value": 127} in rows
    assert {"about": "recordings found", "key": "anger", "value": 1} in rows


def test_check_shows_findings_and_fails_where_one_is_a_fault(here):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000)
    soundfile.write(here / "DataSets" / "voices" / "f1_rab.wav", wave, 16_000)
    good = run("check", "voices")
    assert good.exit_code == 0
    assert re.search(
        r"^voices +complete +1 +1 recording of 1 speaker in DataSets/voices$", good.stdout, re.MULTILINE
    )
    bad = run("check", "--format", "csv")
    assert bad.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(bad.stdout)))
    assert [(row["corpus"], row["finding"], row["clips"]) for row in rows] == [
        ("voices", "complete", "1"), ("emodb", "unreadable", "2"), ("emodb", "partial", ""),
    ]  # fmt: skip
    assert rows[1]["example"] == "EmoDB/wav/03a01Fa.wav"
    assert bad.stderr.splitlines()[-1] == "emodb: unreadable, partial"
    assert run("check", "DataSets/voices").exit_code == 0


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("emodbb", "'emodbb' is no folder and no corpus (did you mean 'emodb'?); pass a folder"),
        ("tess", "DataSets: contains no recording of tess; 'ser corpora show tess' says where to get it"),
        (
            "other",
            "other: contains no recording of a known corpus; 'ser corpora init other' describes a new one",
        ),
        ("corpora", "corpora: no recordings found; put a known corpus there "),
    ],
)
def test_check_of_nothing_is_one_line(here, what, message):
    (here / "other").mkdir()
    (here / "other" / "x.wav").touch()
    refused = run("check", what)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"ser: {message}")
    assert refused.stderr.count("\n") == 1


def test_an_unknown_corpus_says_the_nearest(here):
    refused = run("show", "Emodbb")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "ser: corpus 'Emodbb' does not exist (did you mean 'emodb'?); 'ser corpora list' shows all\n"
    )


def test_synth_writes_and_names_the_next_command(tmp_path):
    folder = tmp_path / "DataSets"
    result = run("synth", folder, *TINY)
    assert result.exit_code == 0
    assert result.stdout.strip() == f"{folder}: 14 synthetic recordings in 1 corpus, 2 voices"
    assert f"next: ser manifest build --data {folder}" in result.stderr
    assert (folder / MARKER).is_file()
    assert len(list(folder.rglob("*.wav"))) == 14
    assert "tess already present" in run("synth", folder, *TINY).stdout


def test_synth_next_to_real_recordings_is_one_line(tmp_path):
    (tmp_path / "EmoDB").mkdir()
    result = run("synth", tmp_path, *TINY)
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1].startswith(f"ser: {tmp_path}: holds EmoDB and no {MARKER}")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--seed", "-1"], 1, "seed -1 must be 0 or more"),
        (["--clips-per-class", "99"], 1, "clips per class 99: valid are 1 to 8"),
        (["--corpora", "timit"], 1, "corpus 'timit' does not exist"),
        (["--size", "huge"], 2, "huge"),
        (["--jobs", "0"], 2, "jobs"),
    ],
)
def test_wrong_values_are_named_and_nothing_is_written(tmp_path, arguments, status, message):
    result = run("synth", tmp_path / "new", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert not (tmp_path / "new").exists()
