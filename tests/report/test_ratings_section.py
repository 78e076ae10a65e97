"""The chapter on listeners."""

import json

import pytest

from ser_pipeline.evaluation.run import score_run
from ser_pipeline.report import make_report
from ser_pipeline.report.ratings_section import LEAST_CLIPS
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent


@pytest.fixture
def report(toy, tmp_path, no_drawings):
    """The report of runs of a classifier with these settings."""
    toy.write_features()
    toy.write_manifest([row[3] / 4 - 0.4 if row[0] == "emodb" else None for row in toy.rows])

    def made(*settings):
        folders = [tmp_path / "runs" / f"run{number}" for number in range(len(settings))]
        for folder, changes in zip(folders, settings, strict=True):
            data = toy.data(**changes)
            train_run(data, folder, Silent(), command="c")
            score_run(folder, data)
        make_report(toy.manifests, folders, tmp_path / "out", strict=True)
        return json.loads((tmp_path / "out" / "report.json").read_text())

    return made


def test_ratings_alone_and_beside_an_emotion_are_told_apart(report):
    alone, beside = (
        {"model": {"name": "logreg"}, "target": "valence"},
        {"model": {"name": "logreg", "dimensions": True}},
    )
    page = report(alone, beside)
    chapter = next(section for section in page["sections"] if section["key"] == "listeners")
    told = chapter["blocks"][0]["text"]
    assert told.startswith(
        "One run predicts ratings instead of emotions, and uses all recordings that listeners rated: R1 "
        "(run0) with 36 training clips, fitted with c = "
    )
    assert told.endswith(". R2 predicts ratings beside an emotion.")
    table = next(block for block in chapter["blocks"] if block.get("key") == "ratings")
    titles = [group["title"] for group in table["groups"]]
    assert titles == [
        "R1 logreg on features, ratings alone, test part of split speaker",
        "R2 logreg on features, beside task 4class, test part of split speaker",
    ]
    assert [len(group["rows"]) for group in table["groups"]] == [1, 3]
    scored = page["runs"][0]["scores"]["rated"]["test"]["ratings"][0]
    assert scored["ccc"]["value"] in [entry["value"] for entry in table["groups"][0]["rows"][0]["cells"]]
    others = [section for section in page["sections"] if section["key"] != "listeners"]
    assert "run0" not in json.dumps(others)


def test_a_report_of_ratings_alone_says_so_and_where_they_stand(report, tmp_path):
    alone = {"model": {"name": "logreg"}, "target": "valence"}
    page = report(alone)
    chapters = {section["key"]: section for section in page["sections"]}
    assert [block["text"] for block in chapters["results"]["blocks"]] == [
        "The finished run predicts ratings instead of emotions; the scores are under Ratings and votes of "
        "listeners."
    ]
    limits = chapters["limits"]["blocks"][0]["items"]
    assert "All scores are of ratings: nothing here says how well emotions are recognised." in limits
    assert "R1: there are fewer than 10 test speakers." in limits
    written = (tmp_path / "out" / "report.html").read_text()
    assert 'href="#listeners"' in written
    assert "no finished run" not in written
    assert "no scores yet" not in written


def test_without_ratings_and_votes_there_is_no_chapter(report):
    keys = [section["key"] for section in report({"model": {"name": "logreg"}})["sections"]]
    assert "listeners" not in keys


@pytest.mark.parametrize(("clips", "shown"), [(LEAST_CLIPS, 1), (LEAST_CLIPS - 1, 0)])
def test_votes_on_few_clips_have_no_table(report, tmp_path, clips, shown):
    report({"model": {"name": "logreg"}})
    scores = json.loads((tmp_path / "runs" / "run0" / "scores.json").read_text())
    found = {"value": 1.5, "low": 1.0, "high": 2.0}
    votes = {"clips": clips, "speakers": 2, "cross_entropy": found, "divergence": found}
    scores["parts"]["test"]["votes"] = votes
    (tmp_path / "runs" / "run0" / "scores.json").write_text(json.dumps(scores))
    make_report(tmp_path / "manifests", [tmp_path / "runs" / "run0"], tmp_path / "again", strict=True)
    page = json.loads((tmp_path / "again" / "report.json").read_text())
    tables = [block for section in page["sections"] for block in section["blocks"]]
    assert sum(block.get("key") == "votes" for block in tables) == shown
