from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.report.run_figures import (
    calibration_panel,
    confusion_panel,
    coverage_panel,
    curve_panels,
)
from ser_pipeline.runs.read import read_runs


@pytest.fixture
def run(tmp_path, rows, fake):
    return read_runs([fake.run(tmp_path, "one", rows, "d", task="4class")])[0][0]


def test_curves_are_two_drawings_with_the_ends_in_words(run):
    loss, score = curve_panels(run)
    epochs = run.curves[0].epochs
    first, last = epochs[0]["train_loss"], epochs[-1]["train_loss"]
    assert f"training from {first:.3g} to {last:.3g}" in loss.alt
    assert "validation UAR" in score.inline
    assert "epoch kept" in loss.inline


def test_run_without_epochs_has_no_curves(run):
    (run.path / "metrics.csv").unlink()
    assert curve_panels(read_runs([run.path])[0][0]) == ()


def test_single_epoch_and_missing_columns_are_drawn(run):
    (run.path / "metrics.csv").write_text("epoch,train_loss\n1,0.5\n")
    loss, score = curve_panels(read_runs([run.path])[0][0])
    assert "training from 0.5 to 0.5" in loss.alt
    assert "validation" not in score.alt


def test_folds_are_one_line_each(run):
    text = (run.path / "metrics.csv").read_text()
    (run.path / "metrics.csv").unlink()
    for fold in "01":
        (run.path / fold).mkdir()
        (run.path / fold / "metrics.csv").write_text(text)
    loss, _ = curve_panels(read_runs([run.path])[0][0])
    assert loss.inline.count(">training<") == 1  # the legend names each kind of line once
    assert "epoch kept" not in loss.inline


def test_confusion_names_counts_and_shares(run):
    drawn = confusion_panel(run)
    counts = np.array(run.shown.pooled.confusion)
    assert f"of {counts[0].sum()} anger: {counts[0, 0]} as anger" in drawn.alt
    assert f"{100 * counts[0, 0] / counts[0].sum():.0f} %" in drawn.inline


def test_calibration_and_coverage_say_their_result(run):
    wrong = 1 - run.shown.pooled.accuracy.value
    error = 100 * run.shown.pooled.ece
    assert f"expected calibration error {error:.1f} %" in calibration_panel(run, run.predictions).alt
    assert f"{100 * wrong:.1f} % among all" in coverage_panel(run, run.predictions).alt


def test_the_threshold_is_marked_on_the_curve(run):
    pooled = run.shown.pooled.model_copy(update={"answered": 0.5, "answered_accuracy": 0.75})
    test = run.shown.model_copy(update={"pooled": pooled})
    known = replace(run, scores=run.scores.model_copy(update={"parts": {"test": test}}))
    assert "threshold chosen on validation clips" in coverage_panel(known, run.predictions).inline
    assert "threshold" not in coverage_panel(run, run.predictions).inline
