import csv
import json
from functools import partial

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from ser_pipeline.cli.explain import explain
from ser_pipeline.evaluation import explain as room
from ser_pipeline.evaluation.explain_tables import RunClips
from ser_pipeline.options import recipe
from ser_pipeline.runs.explanation import FeatureName, read_explanation
from ser_pipeline.runs.types import RunInfo, SplitInfo

NAMES = (("pitch_st_mean", "semitones", "pitch"), ("level_mean", "dBFS", "energy"), ("a[b]", "1", "other"))


def run_clips():
    rng = np.random.default_rng(1)
    targets = np.tile([0, 1], 60)
    values = rng.normal(size=(120, 3))
    values[:, 0] += 4.0 * (targets == 0)
    return RunClips(
        values=values,
        targets=targets,
        speakers=np.repeat(list("abcdef"), 20),
        languages=np.full(120, "de"),
        parts=np.repeat(["train", "test"], 60),
        features=[FeatureName(name=name, unit=unit, group=group) for name, unit, group in NAMES],
        predict=lambda table: (table[:, 0] < 2).astype(int),
    )


@pytest.fixture
def ser(tmp_path, monkeypatch):
    """Run the command in a folder with one run, whose clips are made here."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    info = RunInfo(
        name="one", created="2026-01-02T03:04:05+00:00", command="c", model="logreg",
        recipe=recipe(model={"name": "logreg"}),
        emotions=("anger", "sadness"), merges={}, manifest_digest="d",
        split=SplitInfo(name="speaker", digest="s", leaks_speakers=False, note=""),
        store_kind="features", store_fingerprint="f", counts={}, class_counts={}, corpora=(), languages=(),
        synthetic=False, parameters=1, versions={}, stopped="done",
    )  # fmt: skip
    (folder / "settings.json").write_text(info.model_dump_json())
    monkeypatch.chdir(tmp_path)
    made = partial(room.explain_run, load=lambda *_, **places: run_clips())
    monkeypatch.setattr(room, "explain_run", made)
    app = typer.Typer()
    app.command()(explain)

    def run(*words, status=0):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == status, result.output
        return result

    return run


def test_tables_say_what_is_important_and_what_moves(ser):
    result = ser("--repeats", 3, "--top", 1)
    for text in ("importance of groups", "importance of features", "strongest effects", "published vocal"):
        assert text in result.stdout
    features = result.stdout.split("importance of features")[1].split("strongest effects")[0]
    assert "pitch_st_mean" in features
    assert "level_mean" not in features  # only the first is shown
    assert "a[b]" in result.stdout  # brackets are no mark-up
    assert "mean pitch" in result.stdout
    assert "60 test clips of 3 speakers" in result.stderr
    assert "permute: 6 features and groups" in result.stderr
    assert "next: ser report" in result.stderr


def test_the_file_is_written_and_json_is_the_same(ser, tmp_path):
    result = ser("one", "--repeats", 2, "--format", "json")
    found = read_explanation(tmp_path / "runs" / "one")
    assert json.loads(result.stdout) == found.model_dump(mode="json")
    assert found.repeats == 2


def test_csv_has_a_line_for_every_feature(ser):
    rows = list(csv.DictReader(ser("--repeats", 2, "--format", "csv", "--top", 1).stdout.splitlines()))
    assert [row["feature"] for row in rows] == [name for name, _, _ in NAMES]
    assert float(rows[0]["drop"]) > 0.3
    assert float(rows[0]["g_anger"]) > 1 > -1 > float(rows[0]["g_sadness"])
    assert float(rows[1]["drop"]) == 0


def test_another_part_and_seed_are_taken(ser, tmp_path):
    ser("--part", "train", "--seed", 7, "--repeats", 2)
    found = read_explanation(tmp_path / "runs" / "one")
    assert (found.part, found.seed) == ("train", 7)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--part", "all"], "part 'all' does not exist; valid are train, validation, test"),
        (["none"], "run 'none' does not exist"),
        (["--part", "validation"], "part validation: the run has no clips of it; valid are test, train"),
    ],
)
def test_what_is_missing_is_named(ser, words, line):
    assert line in ser(*words, status=1).stderr


def test_numbers_out_of_range_are_wrong_usage(ser):
    assert ser("--repeats", 0, status=2)
