"""Tables, figures and pages, from result files alone: no torch, no audio."""

from ser_pipeline.report.build import ReportSummary, make_report
from ser_pipeline.runs.find import choose_runs

__all__ = ["ReportSummary", "choose_runs", "make_report"]
