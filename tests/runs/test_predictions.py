import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.predict import prediction_table
from ser_pipeline.runs.predictions import (
    read_part,
    read_predictions,
    read_ratings,
    write_predictions,
)

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
    with pytest.raises(RunError, match=r"not found; score it again with 'ser evaluate"):
        read_predictions(tmp_path, EMOTIONS)
    (tmp_path / "predictions.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"cannot be read: .*; score it again with 'ser evaluate"):
        read_predictions(tmp_path, EMOTIONS)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "predictions.parquet")
    with pytest.raises(RunError, match="has columns a, not those of this run"):
        read_predictions(tmp_path, EMOTIONS)


@pytest.mark.parametrize("label", [-1, 4])
@pytest.mark.parametrize("column", ["target", "predicted"])
def test_classes_that_the_run_does_not_know_are_refused(table, tmp_path, column, label):
    place = table.column_names.index(column)
    wrong = pa.array([label] + [0] * 119, pa.int8())
    write_predictions(tmp_path, table.set_column(place, table.schema.field(column), wrong))
    with pytest.raises(RunError, match="has classes that the run does not know; score it again"):
        read_predictions(tmp_path, EMOTIONS)


def test_a_part_is_read_in_the_order_of_the_file(table, tmp_path, toy):
    write_predictions(tmp_path, table)
    found = read_part(tmp_path, EMOTIONS, "test")
    rows = table.filter(pc.equal(table["part"], "test"))
    assert list(found.clips) == rows["utterance_id"].to_pylist()
    assert found.target.tolist() == rows["target"].to_pylist()
    assert found.predicted.tolist() == rows["predicted"].to_pylist()
    assert found.probabilities.shape == (rows.num_rows, 4)
    assert (found.probabilities.argmax(1) == found.predicted).all()
    assert read_part(tmp_path, EMOTIONS, "none").probabilities.shape == (0, 4)


def test_ratings_that_cannot_be_read_name_the_command(tmp_path):
    with pytest.raises(RunError, match=r"dimensions.parquet: not found; score it again"):
        read_ratings(tmp_path)
    (tmp_path / "dimensions.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match=r"dimensions.parquet: cannot be read: .*; score it again"):
        read_ratings(tmp_path)
