"""Tables, figures and pages, from result files alone: no torch, no audio."""

from ser_pipeline.report.build import ReportSummary, make_report, write_comparison

__all__ = ["ReportSummary", "make_report", "write_comparison"]
