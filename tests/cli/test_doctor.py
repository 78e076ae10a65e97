"""``ser manifest doctor``: what it prints, and its exit status."""

import csv
import io
import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli.manifest import app


def run(*words, status=0):
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture
def here(tmp_path, monkeypatch, make_speech):
    """A working folder with a small EMO-DB, of which one recording has an offset."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "DataSets/EmoDB/wav"
    folder.mkdir(parents=True)
    names = [f"{speaker}a01{emotion}a" for speaker in ("03", "08") for emotion in "WFNT"]
    for number, name in enumerate(names):
        soundfile.write(folder / f"{name}.wav", make_speech(number) + 0.02 * (number == 3), 16_000)
    run("build")
    return folder


def test_a_defect_is_shown_and_is_no_danger(here):
    result = run("doctor")
    assert "Findings on 8 recordings" in result.stdout
    assert "offset" in result.stdout
    assert "emodb/wav/03a01Ta" in result.stdout
    assert "+0.020 of full scale" in result.stdout
    assert "examining: 8 clips" in result.stderr
    again = run("doctor")
    assert again.stdout == result.stdout
    assert "examining" not in again.stderr


def test_every_line_fits_a_terminal(here, make_speech):
    for number in range(8):
        wave = np.clip(5 * make_speech(20 + number), -0.5, 0.5)
        soundfile.write(here / f"08b0{number}Fa.wav", wave + 0.02, 16_000)
    run("build")
    from ser_pipeline.manifest import read_manifest
    from ser_pipeline.manifest.doctor import diagnosis_table, read_diagnosis
    from ser_pipeline.tables import terminal_lines

    run("doctor")
    diagnosis = read_diagnosis(read_manifest(here.parents[2] / "manifests").path.parent)
    lines = terminal_lines(diagnosis_table(diagnosis), 80)
    assert max(len(line) for line, _ in lines) <= 80


def test_a_copy_is_a_danger(here, make_speech):
    soundfile.write(here / "08b01Wa.mp3", 0.3 * make_speech(0)[2000:], 16_000)
    run("build")
    result = run("doctor", status=1)
    assert "these findings can make scores wrong: copies; 'ser manifest doctor --full'" in result.stderr
    assert "copies" not in run("doctor", "--ignore", "copies").output
    assert "nothing was found" in run("doctor", "--ignore", "copies", "--ignore", "offset").stderr
    refused = run("doctor", "--ignore", "mood", status=1).stderr
    assert "ser: finding 'mood' does not exist; valid are unreadable, copies, channels" in refused


@pytest.mark.parametrize("full", [(), ("--full",)])
def test_json_and_csv_agree(here, full):
    rows = json.loads(run("doctor", *full, "--format", "json").stdout)
    lines = list(csv.DictReader(io.StringIO(run("doctor", *full, "--format", "csv").stdout)))
    assert [line["finding"] for line in lines] == [row["finding"] for row in rows] == ["offset"]
    assert list(rows[0])[:3] == ["finding", "corpus", "case" if full else "cases"]


def test_no_finding_is_an_empty_list(here):
    assert json.loads(run("doctor", "--ignore", "offset", "--format", "json").stdout) == []


def test_without_a_manifest_its_command_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "make it with 'ser manifest build'" in run("doctor", status=1).stderr
