import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.runs.predictions import prediction_table, read_predictions, write_predictions

EMOTIONS = ("anger", "happiness", "neutral", "sadness")


@pytest.fixture
def table(toy, rng):
    return prediction_table(
        toy.data().examples, rng.dirichlet(np.ones(4), 120).astype(np.float32), EMOTIONS, 2
    )


def test_they_come_back_as_written(table, tmp_path, toy):
    write_predictions(tmp_path, table)
    again = read_predictions(tmp_path, EMOTIONS)
    assert again.equals(table)
    assert again.column_names[:5] == ["utterance_id", "part", "fold", "target", "predicted"]
    assert set(again["part"].to_pylist()) == {"train", "validation", "test"}
    assert set(again["fold"].to_pylist()) == {2}
    probabilities = np.column_stack([again[f"p_{name}"].to_numpy() for name in EMOTIONS])
    assert (probabilities.argmax(1) == again["predicted"].to_numpy()).all()
    assert again["target"].to_pylist() == toy.data().examples.target.tolist()


def test_without_folds_the_column_is_empty(toy):
    table = prediction_table(toy.data().examples, np.zeros((120, 4), np.float32), EMOTIONS, None)
    assert table["fold"].null_count == 120


def test_predictions_of_other_emotions_are_refused(table, tmp_path):
    write_predictions(tmp_path, table)
    with pytest.raises(
        RunError, match=r"predictions.parquet: has columns .*p_sadness, not those of this run"
    ):
        read_predictions(tmp_path, ("anger", "fear"))


def test_missing_and_damaged_predictions_name_the_command(table, tmp_path):
    with pytest.raises(RunError, match=r"not found; make it again with 'ser evaluate"):
        read_predictions(tmp_path, EMOTIONS)
    (tmp_path / "predictions.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"cannot be read: .*; make it again with 'ser evaluate"):
        read_predictions(tmp_path, EMOTIONS)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "predictions.parquet")
    with pytest.raises(RunError, match="has columns a, not those of this run"):
        read_predictions(tmp_path, EMOTIONS)
