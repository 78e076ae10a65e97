import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.read import read_runs, read_sound_runs


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


def test_run_that_only_lacks_scores_is_trained(run):
    (run / "scores.json").unlink()
    (run / "model.safetensors").unlink()  # a run of all folds has its weights in the folders of the folds
    finished, unfinished = read_runs([run])
    assert not finished
    assert unfinished[0].trained


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


@pytest.mark.parametrize(("damage", "message"), [("bytes", "cannot be read: "), ("column", "has columns ")])
def test_damaged_predictions_name_the_run(run, damage, message):
    path = run / "predictions.parquet"
    if damage == "bytes":
        path.write_bytes(b"no")
    else:
        pq.write_table(pq.read_table(path).drop_columns(["p_anger"]), path)
    with pytest.raises(RunError, match=rf"one/predictions.parquet: {message}.* 'ser evaluate "):
        read_runs([run])


def test_run_without_predictions_is_shown_without_them(run):
    (run / "predictions.parquet").unlink()
    assert read_runs([run])[0][0].predictions is None


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
