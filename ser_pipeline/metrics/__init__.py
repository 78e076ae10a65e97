"""Scores, without torch: training's early stopping and the report use the same ones."""

from ser_pipeline.metrics.bootstrap import (
    RESAMPLES,
    SCORES,
    bootstrap_intervals,
    describe_intervals,
    speaker_confusions,
)
from ser_pipeline.metrics.calibration import expected_calibration_error
from ser_pipeline.metrics.claims import Verdict, holm, verdict
from ser_pipeline.metrics.concordance import ccc
from ser_pipeline.metrics.confound import class_counts, majority_guess
from ser_pipeline.metrics.distance import error_distance, mean_error_distance
from ser_pipeline.metrics.draws import (
    Score,
    best_class_lead,
    bootstrap_p,
    confusion_lead,
    drawn_scores,
    percentile_interval,
)
from ser_pipeline.metrics.paired import Comparison, compare
from ser_pipeline.metrics.risk import RiskCoverage, risk_coverage, threshold_for_risk
from ser_pipeline.metrics.scores import accuracy, confusion_matrix, f1, macro_f1, precision, recall, uar
from ser_pipeline.metrics.temperature import Calibration, calibrate, fit_temperature, temper

__all__ = [
    "RESAMPLES",
    "SCORES",
    "Calibration",
    "Comparison",
    "RiskCoverage",
    "Score",
    "Verdict",
    "accuracy",
    "best_class_lead",
    "bootstrap_intervals",
    "bootstrap_p",
    "calibrate",
    "ccc",
    "class_counts",
    "compare",
    "confusion_lead",
    "confusion_matrix",
    "describe_intervals",
    "drawn_scores",
    "error_distance",
    "expected_calibration_error",
    "f1",
    "fit_temperature",
    "holm",
    "macro_f1",
    "majority_guess",
    "mean_error_distance",
    "percentile_interval",
    "precision",
    "recall",
    "risk_coverage",
    "speaker_confusions",
    "temper",
    "threshold_for_risk",
    "uar",
    "verdict",
]
