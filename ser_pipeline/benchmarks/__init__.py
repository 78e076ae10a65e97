"""Plain pipelines, and how much faster the toolkit's own are, in one run."""

from ser_pipeline.benchmarks.measure import Measurement
from ser_pipeline.benchmarks.suite import BENCHES, bench_seconds, run_benches

__all__ = ["BENCHES", "Measurement", "bench_seconds", "run_benches"]
