"""Scores, without torch: training's early stopping and the report use the same ones."""

from ser_pipeline.metrics.bootstrap import bootstrap_intervals, describe_intervals, speaker_confusions
from ser_pipeline.metrics.calibration import expected_calibration_error
from ser_pipeline.metrics.concordance import ccc
from ser_pipeline.metrics.confound import class_counts, majority_guess
from ser_pipeline.metrics.distance import mean_error_distance
from ser_pipeline.metrics.scores import accuracy, confusion_matrix, f1, macro_f1, precision, recall, uar

__all__ = [
    "accuracy",
    "bootstrap_intervals",
    "ccc",
    "class_counts",
    "confusion_matrix",
    "describe_intervals",
    "expected_calibration_error",
    "f1",
    "macro_f1",
    "majority_guess",
    "mean_error_distance",
    "precision",
    "recall",
    "speaker_confusions",
    "uar",
]
