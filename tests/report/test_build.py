import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_fscore_support,
)

from ser_pipeline.errors import ManifestError, ReportError, RunError, SplitError
from ser_pipeline.report import build as room
from ser_pipeline.report import make_report
from ser_pipeline.runs.find import choose_runs


def write_runs(runs, rows, manifests, fake):
    digest = fake.digest(manifests)
    for name, skill in (("one", 0.3), ("two", 0.6)):
        fake.run(runs, name, rows, digest, skill=skill, epochs=3)
    fake.run(runs, "begun", rows, digest, finished=False, epochs=3, stopped=None)
    return runs


@pytest.fixture
def runs(tmp_path, rows, manifests, fake):
    return write_runs(tmp_path / "runs", rows, manifests, fake)


def table_of(folder, key):
    whole = json.loads((folder / "report.json").read_text())
    blocks = [block for section in whole["sections"] for block in section["blocks"]]
    return next(block for block in blocks if block.get("key") == key)


def rows_of(table):
    return [row for group in table["groups"] for row in group["rows"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory, fake):
    """A folder with a report of two runs and an unfinished one, and what `make_report` gave."""
    folder, rows = tmp_path_factory.mktemp("report"), fake.rows()
    manifests = fake.manifests(folder / "manifests", rows)
    write_runs(folder / "runs", rows, manifests, fake)
    return folder, make_report(manifests, choose_runs(folder / "runs"), folder / "out")


def test_report_is_three_texts_and_drawings(made):
    folder, summary = made
    assert summary.page == folder / "out" / "report.html"
    assert (summary.recordings, summary.runs, summary.unfinished) == (90, 2, ("begun",))
    assert summary.page_bytes == summary.page.stat().st_size
    assert not summary.synthetic
    names = {path.name for path in (folder / "out").iterdir()}
    assert names == {"report.html", "report.md", "report.json", "figures"}
    drawings = {path.name for path in (folder / "out" / "figures").iterdir()}
    assert len(drawings) == summary.figures
    linked = set(re.findall(r"\(figures/([^)]+)\)", (folder / "out" / "report.md").read_text()))
    assert linked == drawings


def test_numbers_are_those_scikit_learn_finds_in_the_predictions(made):
    folder, _ = made
    page = (folder / "out" / "report.html").read_text()
    classes = ("anger", "happiness", "neutral", "sadness")
    for tag, name in (("r1", "one"), ("r2", "two")):
        table = pq.read_table(folder / "runs" / name / "predictions.parquet").to_pandas()
        test = table[table["part"] == "test"]
        target, predicted = test["target"], test["predicted"]
        expected = (
            balanced_accuracy_score(target, predicted),
            accuracy_score(target, predicted),
            f1_score(target, predicted, average="macro"),
        )
        shown = rows_of(table_of(folder / "out", f"scores-{tag}"))[-1]["cells"]
        assert shown[0]["text"] == "test"
        assert [cell["value"] for cell in shown[3:6]] == pytest.approx(expected)
        by_class = precision_recall_fscore_support(target, predicted, labels=range(4), zero_division=0)
        for place, row in enumerate(rows_of(table_of(folder / "out", f"classes-{tag}"))):
            assert row["cells"][0]["text"] == classes[place]
            assert [cell["value"] for cell in row["cells"][2:]] == pytest.approx(
                [by_class[i][place] for i in range(3)]
            )
        start = page.index(f'id="table-scores-{tag}"')
        scores = page[start : page.index("</table>", start)]
        assert f"<strong>{100 * expected[0]:.1f}</strong>" in scores
        assert f">{100 * expected[1]:.1f}<small>" in scores


HEADLINES = ("uar", "accuracy", "macro_f1")


@pytest.mark.parametrize(("tag", "name"), [("r1", "one"), ("r2", "two")])
def test_every_score_shown_is_the_one_of_scores_json(made, tag, name):
    folder, _ = made
    parts = json.loads((folder / "runs" / name / "scores.json").read_text())["parts"]
    rows = [row["cells"] for row in rows_of(table_of(folder / "out", f"scores-{tag}"))]
    assert [row[0]["text"] for row in rows] == list(parts)
    for row, part in zip(rows, parts.values(), strict=True):
        pooled = part["pooled"]
        assert [cell["value"] for cell in row[3:]] == [
            *(pooled[score]["value"] for score in HEADLINES),
            part["macro_corpora"]["uar"],
            *(pooled[score] for score in ("ece", "ece_before", "error_distance")),
            *(pooled[score] for score in ("confound_uar", "confound_accuracy")),
        ]
    compared = rows_of(table_of(folder / "out", "comparison"))
    (row,) = (row["cells"] for row in compared if row["cells"][0].get("note") == name)
    sides = [parts[side]["pooled"] for side in ("validation", "test")]
    assert [cell["value"] for cell in row[3:]] == [side[s]["value"] for s in HEADLINES for side in sides]
    groups = {(group["by"], group["name"]): group for group in parts["test"]["groups"]}
    speakers = table_of(folder / "out", f"groups-{tag}")["groups"][-1]
    assert speakers["title"] == "By speaker"
    for row in (row["cells"] for row in speakers["rows"]):
        group = groups["speaker", row[0]["text"]]
        assert [cell["value"] for cell in row[3:]] == [group[score] for score in ("emotions", *HEADLINES)]


def test_the_error_of_calibration_in_words_is_the_one_of_scores_json(made):
    folder, _ = made
    page = (folder / "out" / "report.html").read_text()
    assert page.count("expected calibration error 12.3 %") == 2


def test_same_input_gives_the_same_bytes(manifests, runs, tmp_path):
    contents = []
    for out in ("a", "b"):
        make_report(manifests, choose_runs(runs, ["one"]), tmp_path / out)
        files = sorted(path for path in (tmp_path / out).rglob("*") if path.is_file())
        contents.append({str(path.relative_to(tmp_path / out)): path.read_bytes() for path in files})
    assert contents[0] == contents[1]


def test_unfinished_runs_are_named_without_a_section(made):
    folder, _ = made
    page = (folder / "out" / "report.html").read_text()
    assert "begun" in page
    assert 'id="run-r2"' in page
    assert 'id="run-r3"' not in page
    assert len(rows_of(table_of(folder / "out", "unfinished"))) == 1


@pytest.mark.usefixtures("no_drawings")
def test_without_runs_the_data_part_stands_alone(manifests, tmp_path):
    summary = make_report(manifests, [], tmp_path / "out")
    assert (summary.runs, summary.figures) == (0, 4)
    page = summary.page.read_text()
    assert "There are no finished runs yet" in page
    assert 'id="table-corpora"' in page
    assert 'id="table-comparison"' not in page


@pytest.mark.usefixtures("no_drawings")
def test_synthetic_data_is_in_the_summary_and_on_the_page(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path / "m", rows, synthetic=True)
    summary = make_report(folder, [], tmp_path / "out")
    assert summary.synthetic
    assert "Synthetic recordings:" in summary.page.read_text()
    assert "> **Synthetic recordings:" in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.usefixtures("no_drawings")
def test_run_that_cannot_be_read_is_named_and_the_old_report_stays(manifests, runs, tmp_path):
    make_report(manifests, choose_runs(runs), tmp_path / "out")
    before = (tmp_path / "out" / "report.html").read_bytes()
    (runs / "two" / "scores.json").write_text("{}")
    with pytest.raises(RunError, match=r"two/scores\.json: parts"):
        make_report(manifests, choose_runs(runs, ["one", "two"]), tmp_path / "out", strict=True)
    assert (tmp_path / "out" / "report.html").read_bytes() == before


@pytest.mark.usefixtures("no_drawings")
def test_what_cannot_be_read_is_named_and_the_rest_is_shown(manifests, runs, tmp_path):
    (runs / "two" / "scores.json").write_text("{")
    (manifests / "splits" / "stratified.parquet").write_bytes(b"no")
    summary = make_report(manifests, choose_runs(runs), tmp_path / "out")
    assert (summary.runs, summary.unfinished) == (1, ("begun",))
    split, run = summary.unread
    assert split.startswith("split stratified could not be read: ")
    assert "'ser manifest split stratified --manifests " in split
    assert run.startswith(f"run two could not be read: {runs}/two/scores.json: ")
    page = summary.page.read_text()
    assert "run two could not be read: " in page
    assert "split stratified could not be read: " in page
    assert 'id="run-r2"' not in page
    assert "run two could not be read: " in (tmp_path / "out" / "report.md").read_text()
    listed = json.loads((tmp_path / "out" / "report.json").read_text())["unread"]
    assert [(entry["kind"], entry["name"]) for entry in listed] == [("split", "stratified"), ("run", "two")]


@pytest.mark.usefixtures("no_drawings")
def test_unreadable_split_of_a_run_on_the_page_is_an_error(manifests, runs, tmp_path):
    (manifests / "splits" / "speaker.parquet").write_bytes(b"no")
    with pytest.raises(SplitError, match=r"cannot be read .* 'ser manifest split speaker --manifests "):
        make_report(manifests, choose_runs(runs), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_drawings")
def test_interrupted_report_leaves_the_old_one(manifests, runs, tmp_path, monkeypatch):
    make_report(manifests, [], tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "html_page", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make_report(manifests, choose_runs(runs), tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("no_drawings")
def test_drawings_of_an_older_report_go_and_foreign_files_stay(manifests, runs, tmp_path):
    out = tmp_path / "out"
    make_report(manifests, choose_runs(runs), out)
    (out / "figures" / "mine.png").write_bytes(b"my own")
    same, changed = (out / "figures" / f"confusion-{tag}.svg" for tag in ("r1", "r2"))
    changed.write_bytes(b"damaged")
    before = same.stat().st_ino
    make_report(manifests, choose_runs(runs), out)
    assert same.stat().st_ino == before  # what is the same is not written again
    assert changed.read_bytes() != b"damaged"
    make_report(manifests, choose_runs(runs, ["one"]), out)
    assert not (out / "figures" / "confusion-r2.svg").exists()
    assert (out / "figures" / "confusion-r1.svg").is_file()
    assert (out / "figures" / "mine.png").is_file()


@pytest.mark.usefixtures("no_drawings")
@pytest.mark.parametrize(
    "old", ["[]", "{", '{"sections": [{"blocks": [{"panels": [{"files": ["../keep"]}]}]}]}']
)
def test_foreign_report_json_removes_nothing(manifests, tmp_path, old):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "keep").write_text("keep")
    (out / "report.json").write_text(old)
    make_report(manifests, [], out)
    assert (tmp_path / "keep").is_file()


def test_missing_manifest_names_its_command(tmp_path):
    with pytest.raises(ManifestError, match="make it with 'ser manifest build'"):
        make_report(tmp_path, [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_drawings")
def test_file_in_the_place_of_the_folder_is_refused(manifests, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ReportError, match="out: is a file; choose a folder with --out"):
        make_report(manifests, [], tmp_path / "out")


@pytest.mark.slow
def test_eight_corpora_and_ten_runs_weigh_under_five_megabytes(tmp_path, fake):
    codes = {
        name: ("en-US", {"a": "anger", "h": "happiness", "n": "neutral", "s": "sadness", "f": "fear"})
        for name in ("cremad", "ravdess", "ravdess-song", "savee", "tess", "iemocap", "nemo", "emodb")
    }
    rows = fake.rows(codes, speakers=20, takes=5)
    folder = fake.manifest(tmp_path / "m", rows)
    for number in range(10):
        fake.run(
            tmp_path / "runs", f"run-{number}", rows, fake.digest(folder), epochs=150, skill=0.3 + number / 30
        )
    summary = make_report(folder, choose_runs(tmp_path / "runs"), tmp_path / "out")
    assert summary.page_bytes < 5_000_000
    assert np.sum([path.stat().st_size for path in (tmp_path / "out").rglob("*")]) < 15_000_000
