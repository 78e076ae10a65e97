import csv

from ser_pipeline.results import METRIC_COLUMNS
from ser_pipeline.settings import TrainOptions
from ser_pipeline.training.history import best_row, out_of_patience, write_metrics


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
    write_metrics(tmp_path / "metrics.csv", rows)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        found = [{k: float(v) if v else None for k, v in line.items()} for line in csv.DictReader(file)]
    assert found == rows
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == ",".join(METRIC_COLUMNS)
