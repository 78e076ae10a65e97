"""The road of one's own recordings in a table: five commands to a report."""

import csv

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ser_pipeline.cli import app
from ser_pipeline.manifest import read_manifest


def run(*words, status=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def talks(tmp_path, monkeypatch, rng):
    """A table of segments of four long recordings, two of which lie outside of its folder."""
    monkeypatch.chdir(tmp_path)
    places = ["talks/ann.wav", "talks/ben.wav", f"{tmp_path}/else/cat.wav", "../else/dan.wav"]
    rows = []
    for number, name in enumerate(places):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wave = [0.1 * rng.standard_normal(8_000 * 6)]
        for turn, emotion in enumerate(["angry", "sad"] * 6):
            start = turn / 2
            hz = (440 if emotion == "angry" else 150) * (1 + number / 50)
            part = slice(int(start * 8_000), int((start + 0.5) * 8_000))
            wave[0][part] += 0.4 * np.sin(2 * np.pi * hz * np.arange(4_000) / 8_000)
            rows.append({"path": name, "emotion": emotion, "start": start, "end": start + 0.5})
        soundfile.write(path, wave[0], 8_000)
    file = tmp_path / "mine" / "talks.csv"
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def test_from_a_table_to_a_report(talks, tmp_path):
    built = run("manifest", "build", "--csv", talks)
    assert "48 recordings by unknown speakers, 0 rejected" in built.stderr
    assert "48 of 48 recordings (talks) do not say who speaks" in built.stderr
    manifest = read_manifest(tmp_path / "manifests")
    assert manifest.data == talks.parent
    paths = {row["path"] for row in manifest.table.to_pylist()}
    assert paths == {"talks/ann.wav", "talks/ben.wav", f"{tmp_path}/else/cat.wav", f"{tmp_path}/else/dan.wav"}
    assert "48 recordings, no problems" in run("manifest", "validate").stdout
    refused = run("train", "logreg", status=1)
    assert "ser train --split stratified" in refused.stderr
    run("manifest", "split", "stratified")
    assert "48 computed now, 0 failed" in run("cache", "features").stdout
    assert "5 recomputed, 0 problems" in run("cache", "verify", "--sample", 5).stdout
    run("train", "logreg", "--split", "stratified")
    assert "48 recordings, 1 run" in run("report").output
    assert "talks" in (tmp_path / "reports" / "report.md").read_text()


@pytest.mark.parametrize("name", ["speaker", "kfold", "loso"])
def test_speakers_that_nobody_names_cannot_be_kept_apart(talks, name):
    run("manifest", "build", "--csv", talks)
    said = run("manifest", "split", name, status=1).stderr
    assert said.startswith(
        f"ser: split {name}: 48 of 48 recordings (talks) do not say who speaks, so speakers"
    )
    assert "--speaker-from 'REGEX'" in said
    assert "'ser manifest split stratified'" in said


def test_speakers_from_the_paths_make_the_split_by_speaker(talks, tmp_path):
    built = run("manifest", "build", "--csv", talks, "--speaker-from", r"(\w+)\.wav$")
    assert "48 recordings by 4 speakers" in built.stderr
    assert (tmp_path / "manifests" / "splits" / "speaker.parquet").is_file()
    run("manifest", "split", "loso")


def test_synthetic_recordings_are_still_marked(talks, tmp_path):
    (tmp_path / "else" / "SYNTHETIC.txt").touch()
    run("manifest", "build", "--csv", talks)
    assert read_manifest(tmp_path / "manifests").synthetic_corpora == ("talks",)


def test_a_table_in_another_place_is_read_with_its_data_folder(talks, tmp_path):
    moved = tmp_path / "tables" / "moved.csv"
    moved.parent.mkdir()
    moved.write_text(talks.read_text().replace("../else", "else"))
    built = run("manifest", "build", "--csv", moved, "--data", tmp_path / "mine")
    assert "36 recordings by unknown speakers, 12 rejected" in built.stderr
    (tmp_path / "else").rename(tmp_path / "mine" / "else")
    text = moved.read_text().replace(f"{tmp_path}/else", "else")
    moved.write_text(text)
    assert "48 recordings" in run("manifest", "build", "--csv", moved, "--data", tmp_path / "mine").stderr
    paths = read_manifest(tmp_path / "manifests").table["path"].unique().to_pylist()
    assert sorted(paths) == ["else/cat.wav", "else/dan.wav", "talks/ann.wav", "talks/ben.wav"]


def test_a_recording_that_is_gone_is_told_by_validate(talks, tmp_path):
    run("manifest", "build", "--csv", talks)
    (tmp_path / "else" / "cat.wav").unlink()
    assert "12 problems" in run("manifest", "validate", status=1).stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--csv", "gone.csv"), "ser: gone.csv: cannot be read (No such file or directory)"),
        (
            ("--speaker-from", "(a)"),
            "ser: speaker_from: is for tables that list recordings; pass them with --csv",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, monkeypatch, words, line):
    monkeypatch.chdir(tmp_path)
    assert line in run("manifest", "build", *words, status=1).stderr
