import csv
import io
import json

import pytest


def train(ser, name, *words):
    ser("train", "crnn", "--threads", 1, "--epochs", 1, "--name", name, *words)


@pytest.mark.usefixtures("trained")
def test_runs_of_different_splits_learned_from_different_recordings(ser):
    train(ser, "f", "--split", "loco", "--fold", "emodb")
    said = ser("compare", "a", "f").stderr
    assert "the splits differ (a: speaker; f: loco, fold number 0), so these runs learned from" in said


@pytest.mark.usefixtures("trained")
def test_another_draw_of_a_split_is_another_split(ser, tmp_path):
    for seed, runs in ((0, "some"), (7, "others")):
        ser("manifest", "split", "stratified", "--seed", seed)
        train(ser, "s", "--split", "stratified", "--runs", runs)
    said = ser("compare", "some/s", "others/s").stderr
    assert "the splits differ (s: stratified; s: stratified), so these runs learned from different" in said


@pytest.mark.usefixtures("trained")
def test_two_runs_side_by_side(ser):
    train(ser, "b", "--no-attention")
    train(ser, "b1", "--no-attention", "--seed", 1)
    result = ser("compare", "a", "b", "b1")
    assert "compared with a, in percent" in result.stdout
    assert "24 test clips of 2 speakers" in result.stderr
    assert "there are too few speakers to decide anything" in result.stderr
    rows = json.loads(ser("compare", "a", "b", "runs/b1", "--format", "json").stdout)
    assert [row["score"] for row in rows] == ["UAR", "accuracy", "macro-F1"]
    assert rows[0]["run"] == "b and 1 more seed"
    assert rows[0]["against the base"] == "not decidable here"
    lines = list(csv.DictReader(io.StringIO(ser("compare", "a", "b", "--format", "csv").stdout)))
    shown = {name: float(lines[0][name]) for name in ("base", "run's", "difference", "low", "high")}
    assert abs(shown["difference"] - (shown["run's"] - shown["base"])) < 1e-9
    assert shown["low"] <= shown["difference"] <= shown["high"] <= 1
    assert (lines[0]["clips"], lines[0]["speakers"]) == ("24", "2")


def test_wrong_words_are_one_line(trained):
    said = trained("compare", "a", "nope", status=1).stderr
    assert "run 'nope' does not exist; the newest in runs are: a" in said
    assert "runs/a: is named twice; a comparison needs" in trained("compare", "a", "a", status=1).stderr
    assert "a comparison needs two runs" in trained("compare", "a", status=1).stderr
    trained("compare", status=2)
