import csv
import json

import pytest
import soundfile as sf

from ser_pipeline.runs.files import read_result
from ser_pipeline.runs.types import RunScores
from tests.serving.conftest import RATE, voice


def test_evaluate_shows_everything_of_the_newest_run(trained, tmp_path):
    (tmp_path / "runs" / "a" / "scores.json").unlink()
    result = trained("evaluate", "--threads", 1)
    assert (tmp_path / "runs" / "a" / "scores.json").is_file()
    for text in (
        "test: overall",
        "most frequent class of the corpus",
        "test: emotions",
        "rows are true",
        "nemo-",
    ):
        assert text in result.stdout
    assert "calibration error" in result.stderr
    assert "next: ser report" in result.stderr


def test_evaluate_prints_json_and_csv(trained, tmp_path):
    scores = read_result(RunScores, tmp_path / "runs" / "a" / "scores.json").parts["validation"]
    found = json.loads(trained("evaluate", "a", "--part", "validation", "--format", "json").stdout)
    assert found == scores.model_dump(mode="json")
    rows = list(csv.DictReader(trained("evaluate", "runs/a", "--format", "csv").stdout.splitlines()))
    assert rows[0]["by"] == "all"
    assert {row["by"] for row in rows[1:]} == {
        "corpus",
        "language",
        "gender",
        "intensity",
        "modality",
        "speaker",
    }


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["none"], "run 'none' does not exist; the newest in runs are: a"),
        (["--runs", "none"], "none: contains no runs; train one with 'ser train crnn'"),
        (["--part", "all"], "--part all: valid are train, validation, test"),
        (["--cache", "none"], "run 'ser cache mels"),
    ],
    ids=str,
)
def test_evaluate_names_what_is_missing(trained, words, line):
    assert line in trained("evaluate", *words, status=1).stderr


def test_a_part_that_the_run_does_not_have_is_named(ser):
    ser("train", "crnn", "--threads", 1, "--split", "loco", "--fold", "all", "--epochs", 1)
    assert "its split has no train part, only test" in ser("evaluate", "--part", "train", status=1).stderr


def test_commands_go_on_beside_a_run_that_cannot_be_read(ser, tmp_path):
    for name in ("first", "good"):
        ser("train", "crnn", "--threads", 1, "--name", name, "--epochs", 2, "--lr", 0.02)
    (tmp_path / "runs" / "broken").mkdir()
    settings = tmp_path / "runs" / "broken" / "settings.json"
    settings.write_text((tmp_path / "runs" / "good" / "settings.json").read_text()[:200])
    sf.write(tmp_path / "a.wav", voice(1.0), RATE)
    line = "run broken could not be read: runs/broken/settings.json: file: Invalid JSON"
    for words in (
        ["evaluate", "good"],
        ["evaluate"],
        ["compare", "first", "good"],
        ["predict", "a.wav", "--model", "good"],
        ["predict", "a.wav", "--model", "runs/good"],
        ["export", "--model-card"],
    ):
        result = ser(*words)
        told = [each for each in result.stderr.splitlines() if "broken" in each]
        assert len(told) == 1, words
        assert told[0].startswith(line), words
    assert "broken" not in ser("predict", "a.wav", "--model", tmp_path / "runs" / "good").stderr
    wrong = ser("evaluate", "broken", status=1).stderr.splitlines()
    assert len(wrong) == 1
    assert wrong[0].startswith("ser: runs/broken/settings.json: file: Invalid JSON")
    (tmp_path / "runs" / "also").mkdir()
    (tmp_path / "runs" / "also" / "settings.json").mkdir()
    told = ser("predict", "a.wav", "--model", "good").stderr.splitlines()
    assert "2 runs could not be read: also, broken; 'ser runs' says why" in told


def test_evaluate_scores_the_clips_for_which_a_condition_holds(trained, tmp_path):
    result = trained("evaluate", "a", "--where", "corpus = 'nemo'", "--format", "json")
    assert json.loads(result.stdout)["pooled"]["clips"] == 12
    assert "what follows covers the 12 clips with corpus = 'nemo'; the files cover all clips" in result.stderr
    kept = read_result(RunScores, tmp_path / "runs" / "a" / "scores.json")
    assert kept.parts["test"].pooled.clips == 24
    assert "no column 'corps'" in trained("evaluate", "a", "--where", "corps = 'nemo'", status=1).stderr


def test_a_condition_is_a_setting_of_the_run(ser):
    ser("train", "crnn", "--threads", 1, "--name", "a", "--epochs", 1, "--where", "corpus = 'nemo'")
    assert "settings,recipe.where,corpus = 'nemo'" in ser("runs", "show", "a", "--format", "csv").stdout
    assert json.loads(ser("evaluate", "a", "--format", "json").stdout)["pooled"]["clips"] == 12


def test_evaluate_shows_scores_of_ratings(ser, toy):
    toy.write_manifest([row[3] / 4 - 0.4 for row in toy.rows])
    ser("train", "crnn", "--threads", 1, "--name", "a", "--epochs", 1, "--dimensions")
    result = ser("evaluate", "a")
    assert "test: ratings" in result.stdout
    assert "CCC" in result.stdout
    toy.write_manifest()
    ser("train", "crnn", "--threads", 1, "--name", "b", "--epochs", 1, "--dimensions")
    unknown = "test: concordance of ratings: not known, as listeners rated no clip of this part"
    assert unknown in ser("evaluate", "b").stderr
