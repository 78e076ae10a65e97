"""Tables, figures and pages, from result files alone: no torch, no audio."""

from ser_pipeline.report.build import ReportSummary, make_report

__all__ = ["ReportSummary", "make_report"]
