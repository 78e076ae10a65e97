import csv

import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.options import TrainOptions
from ser_pipeline.runs.curves import METRIC_COLUMNS, best_row, out_of_patience, read_curves, write_metrics


@pytest.fixture
def run(tmp_path, rows, fake):
    return fake.run(tmp_path / "runs", "one", rows, "digest", epochs=2)


@pytest.mark.parametrize("content", [b"epoch,train_loss\n1," + b"0" * 200_000 + b"\n"])
def test_metrics_that_no_reader_takes_name_the_run(run, content):
    (run / "metrics.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"one/metrics.csv: cannot be read \(field larger"):
        read_curves(run)


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
        read_curves(run)


def epochs(*uar):
    empty = dict.fromkeys(METRIC_COLUMNS)
    return [{**empty, "epoch": number, "validation_uar": score} for number, score in enumerate(uar, 1)]


def test_the_first_of_equal_epochs_is_the_best():
    assert best_row(epochs(0.3, 0.5, 0.5, 0.4), TrainOptions())["epoch"] == 2


def test_without_validation_the_last_epoch_counts_and_nothing_stops_early():
    rows = epochs(*[None] * 40)
    assert best_row(rows, TrainOptions())["epoch"] == 40
    assert not out_of_patience(rows, TrainOptions(patience=3))


def test_another_score_can_be_watched():
    rows = [
        {"epoch": 1, "validation_uar": 0.9, "validation_accuracy": 0.1},
        {"epoch": 2, "validation_uar": 0.1, "validation_accuracy": 0.9},
    ]
    assert best_row(rows, TrainOptions(monitor="accuracy"))["epoch"] == 2


def test_patience_ends_that_many_epochs_after_the_best():
    options = TrainOptions(patience=3)
    assert not out_of_patience(epochs(0.2, 0.5, 0.4, 0.5), options)
    assert out_of_patience(epochs(0.2, 0.5, 0.4, 0.5, 0.1), options)
    assert not out_of_patience(epochs(0.2, 0.5, 0.4, 0.5, 0.6), options)
    assert not out_of_patience(epochs(0.2, 0.5, 0.4, 0.5, 0.1), TrainOptions(patience=None))
    assert not out_of_patience([], options)


def test_metrics_come_back_as_written(tmp_path):
    rows = epochs(0.25, None, 1 / 3)
    write_metrics(tmp_path, rows)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        found = [{k: float(v) if v else None for k, v in line.items()} for line in csv.DictReader(file)]
    assert found == rows
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == ",".join(METRIC_COLUMNS)
