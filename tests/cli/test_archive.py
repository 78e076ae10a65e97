import os

import pyarrow.parquet as pq
import pytest
import soundfile as sf
from typer.testing import CliRunner

from ser_pipeline.cli import app
from tests.serving.conftest import RATE, save_random, voice


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_random(tmp_path / "runs" / "small")
    (tmp_path / "clips").mkdir()
    for number in range(3):
        sf.write(tmp_path / "clips" / f"{number}.wav", voice(1.0 + number, number), RATE)
    return tmp_path


def ser(*words, status=0):
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exit_code == status, result.output
    return result


def predict(*words, status=0):
    return ser("predict", "--model", "small", *words, status=status)


def test_a_folder_becomes_one_file_and_more_recordings_are_added(here):
    first = predict("clips", "--out", "said.parquet")
    assert "said.parquet: 3 recordings (3 new, 0 could not be used)" in first.stdout
    (here / "clips" / "broken.wav").write_text("no sound")
    again = predict("clips", "nowhere*", "--out", "said.parquet", status=1)
    assert "4 recordings (1 new, 1 could not be used)" in again.stdout
    assert "nowhere*: matches no file" in again.stderr
    found = pq.read_table("said.parquet").to_pylist()
    assert [row["file"] for row in found] == [*(f"clips/{n}.wav" for n in range(3)), "clips/broken.wav"]


def test_a_model_of_synthetic_voices_says_so(here):
    save_random(here / "runs" / "small", synthetic=True)
    told = predict("clips", "--out", "said.parquet").stderr
    assert "small: trained on synthetic voices; its predictions for real speech mean nothing" in told


def test_a_manifest_stands_for_its_segments(here):
    sf.write("long.wav", voice(6.0, 7), RATE)
    (here / "own.csv").write_text(
        "path,emotion,speaker,start,end\nlong.wav,anger,a,0,2\nlong.wav,sadness,a,2.5,5\n"
    )
    ser("manifest", "build", "--csv", "own.csv")
    predict("manifests", "--out", "said.parquet")
    found = pq.read_table("said.parquet").to_pylist()
    assert len(found) == 2
    assert [row["end_s"] <= length for row, length in zip(found, (2.0, 2.5), strict=True)] == [True, True]
    predict(here / "manifests" / "manifest.parquet", "--out", "windows.parquet", "--timeline", "--hop", "0.5")
    assert pq.read_table("windows.parquet").num_rows == 7  # they end at 1, 1.5, 2 and at 1, 1.5, 2, 2.5


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--jobs", "2"), "share the work of --out"),
        (("--out", "said.csv"), "must end in .parquet"),
        (("--out", "said.parquet", "--one-speaker"), "--one-speaker does not go with --out"),
        (("--out", "said.parquet", "--enrol", "x.wav"), "--enrol does not go with --out"),
        (("--out", "said.parquet", "--threads", "2"), "--threads does not go with --out"),
        (("--out", "said.parquet", "--format", "json"), "--format json does not go with --out"),
        (("--out", "said.parquet", "--backend", "dask"), "go together"),
        (("--out", "nowhere.parquet/said.parquet"), "nowhere.parquet"),
    ],
)
def test_what_does_not_go_together_is_one_line(here, words, line):
    (here / "nowhere.parquet").write_text("a file where a folder is asked for")
    result = predict("clips", *words, status=1)
    assert line in result.stderr
    assert "Traceback" not in result.stderr
    assert not os.path.exists("said.parquet")


def test_words_that_name_no_recording_are_told(here):
    (here / "empty").mkdir()
    assert "empty: holds no recording" in predict("empty", "--out", "said.parquet", status=1).stderr
