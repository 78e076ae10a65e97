"""Plain pipelines, and how much faster the toolkit's own are, in one run."""

from ser_pipeline.benchmarks.measure import Figure
from ser_pipeline.benchmarks.suite import BENCHES, run_benches

__all__ = ["BENCHES", "Figure", "run_benches"]
