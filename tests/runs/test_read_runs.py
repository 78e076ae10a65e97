import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.read import choose_runs, read_curves, read_runs, read_sound_runs


@pytest.fixture
def run(tmp_path, rows, fake):
    return fake.run(tmp_path / "runs", "one", rows, "digest")


def test_run_is_read_whole(run):
    finished, unfinished = read_runs([run])
    assert not unfinished
    (only,) = finished
    assert (only.tag, only.part, only.info.name, only.model_bytes) == ("R1", "test", "one", 8_910_000)
    assert len(only.curves[0].epochs) == 12
    epochs, loss = only.curves[0].column("train_loss")
    assert epochs.tolist() == list(range(1, 13))
    assert np.isfinite(loss).all()
    assert len(only.predictions.clips) == only.shown.pooled.clips


def test_run_without_scores_is_unfinished(tmp_path, rows, fake):
    folder = fake.run(tmp_path, "started", rows, "d", finished=False, stopped=None)
    (folder / "model.safetensors").write_bytes(b"the best epoch so far")
    assert [(run.name, run.trained) for run in read_runs([folder])[1]] == [("started", False)]


def test_run_whose_training_goes_on_shows_no_scores(tmp_path, rows, fake):
    folder = fake.run(tmp_path, "going", rows, "d", stopped=None)
    assert (folder / "scores.json").is_file()
    finished, unfinished = read_runs([folder])
    assert not finished
    assert [(run.name, run.trained) for run in unfinished] == [("going", False)]


def test_bad_runs_are_listed_beside_the_good_ones(tmp_path, rows, fake):
    folders = [fake.run(tmp_path, name, rows, "d", epochs=2) for name in ("bad", "good", "worse", "fine")]
    (folders[0] / "scores.json").write_text("{")
    (folders[2] / "settings.json").write_bytes(b"\xff")
    finished, unfinished, unread = read_sound_runs(folders)
    assert [(run.tag, run.info.name) for run in finished] == [("R1", "good"), ("R2", "fine")]
    assert not unfinished
    assert [(entry.kind, entry.name) for entry in unread] == [("run", "bad"), ("run", "worse")]
    assert "worse/settings.json: " in unread[1].reason


def test_runs_without_readable_settings_are_chosen_last(tmp_path, rows, fake):
    for name in ("a", "b"):
        fake.run(tmp_path, name, rows, "d", epochs=2)
    (tmp_path / "a" / "settings.json").write_text("{}")
    assert [run.name for run in choose_runs(tmp_path)] == ["b", "a"]
    with pytest.raises(RunError, match="there are: a, b"):
        choose_runs(tmp_path, ["two"])


@pytest.mark.parametrize("content", [b"epoch,train_loss\n1," + b"0" * 200_000 + b"\n"])
def test_metrics_that_no_reader_takes_name_the_run(run, content):
    (run / "metrics.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"one/metrics.csv: cannot be read \(field larger"):
        read_runs([run])


def test_run_that_only_lacks_scores_is_trained(run):
    (run / "scores.json").unlink()
    (run / "model.safetensors").unlink()  # a run of all folds has its weights in the folders of the folds
    finished, unfinished = read_runs([run])
    assert not finished
    assert unfinished[0].trained


def test_missing_values_of_an_epoch_are_absent(run):
    (run / "metrics.csv").write_text("epoch,train_loss,validation_uar\n1,0.5,\n2,nan,0.25\n")
    (curve,) = read_curves(run)
    assert curve.epochs == ({"epoch": 1.0, "train_loss": 0.5}, {"epoch": 2.0, "validation_uar": 0.25})
    assert curve.column("validation_uar")[1].tolist() == [0.25]
    assert curve.column("nothing")[0].shape == (0,)


def test_curves_of_folds_are_told_apart(run):
    text = (run / "metrics.csv").read_text()
    (run / "metrics.csv").unlink()
    for fold in ("fold-0", "fold-1"):
        (run / fold).mkdir()
        (run / fold / "metrics.csv").write_text(text)
    assert [curve.name for curve in read_curves(run)] == ["fold-0", "fold-1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "one/metrics.csv: needs the columns epoch, train_loss"),
        (b"epoch,train_loss\n1,0.5\n2,much\n", "one/metrics.csv: line 3: .*'much'"),
        (b"epoch,train_loss\n1,0.5,7\n", "one/metrics.csv: line 2: not one value per column"),
        (b"epoch,train_loss\n1\n", "one/metrics.csv: line 2: not one value per column"),
        (b"\xff\xfe", "one/metrics.csv: not a text file"),
    ],
)
def test_broken_metrics_name_the_run(run, content, message):
    (run / "metrics.csv").write_bytes(content)
    with pytest.raises(RunError, match=message):
        read_runs([run])


def test_broken_scores_name_the_run(run):
    (run / "scores.json").write_text("{")
    with pytest.raises(RunError, match=r"one/scores.json"):
        read_runs([run])


def test_unknown_part_names_the_run(run):
    scores = json.loads((run / "scores.json").read_text())
    scores["parts"]["holdout"] = scores["parts"].pop("test")
    (run / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(
        RunError, match=r"one/scores.json: has parts .*holdout, valid are train, validation, test"
    ):
        read_runs([run])


def test_scores_of_other_emotions_name_the_run(run):
    scores = json.loads((run / "scores.json").read_text())
    scores["parts"]["test"]["pooled"]["classes"][0]["emotion"] = "envy"
    (run / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(RunError, match=r"one/scores.json: test: classes and confusion do not fit"):
        read_runs([run])


def test_predictions_that_are_not_those_scored_are_refused(run):
    table = pq.read_table(run / "predictions.parquet")
    turned = pa.array((table["predicted"].to_numpy() + 1) % 4)
    pq.write_table(table.set_column(4, "predicted", turned), run / "predictions.parquet")
    with pytest.raises(RunError, match=r"one/predictions.parquet: its test decisions are not those"):
        read_runs([run])


def test_decision_for_a_class_that_does_not_exist_is_refused(run):
    table = pq.read_table(run / "predictions.parquet")
    pq.write_table(
        table.set_column(4, "predicted", pa.array([9] * table.num_rows)), run / "predictions.parquet"
    )
    with pytest.raises(RunError, match="its test decisions are not those"):
        read_runs([run])


@pytest.mark.parametrize("damage", ["bytes", "column"])
def test_damaged_predictions_name_the_run(run, damage):
    path = run / "predictions.parquet"
    if damage == "bytes":
        path.write_bytes(b"no")
    else:
        pq.write_table(pq.read_table(path).drop_columns(["p_anger"]), path)
    with pytest.raises(RunError, match=r"one/predictions.parquet: cannot be read .* 'ser evaluate "):
        read_runs([run])


def test_run_without_predictions_is_shown_without_them(run):
    (run / "predictions.parquet").unlink()
    assert read_runs([run])[0][0].predictions is None


def test_all_runs_are_chosen_oldest_first(tmp_path, rows, fake):
    for name, day in (("a", 3), ("b", 1), ("c", 2)):
        fake.run(tmp_path, name, rows, "d", created=f"2026-01-0{day}T00:00:00+00:00", epochs=2)
    assert [run.name for run in choose_runs(tmp_path)] == ["b", "c", "a"]
    assert choose_runs(tmp_path, ["c", "b", "c"]) == [tmp_path / "c", tmp_path / "b"]
    assert choose_runs(tmp_path / "none") == []
    assert choose_runs(tmp_path / "none", [str(tmp_path / "a")]) == [tmp_path / "a"]


def test_unknown_run_lists_what_is_there(run):
    with pytest.raises(RunError, match=r"two: no run of this name; .* there are: one"):
        choose_runs(run.parent, ["two"])


def test_unknown_run_in_an_empty_folder_says_so(tmp_path):
    with pytest.raises(RunError, match="there are: none yet"):
        choose_runs(tmp_path, ["two"])


def test_an_explanation_is_read_with_its_run(run, fake):
    assert read_runs([run])[0][0].explanation is None
    written = fake.explanation()
    (run / "explanation.json").write_text(written.model_dump_json())
    assert read_runs([run])[0][0].explanation == written


@pytest.mark.parametrize(
    ("text", "message"), [("{", "explain it again with 'ser explain"), (None, "is about x, y, the run about")]
)
def test_an_explanation_that_does_not_fit_names_the_run(run, fake, text, message):
    foreign = fake.explanation(emotions=("x", "y"))
    (run / "explanation.json").write_text(text or foreign.model_dump_json())
    with pytest.raises(RunError, match=message):
        read_runs([run])
