import subprocess

import pytest

from ser_pipeline.benchmarks.measure import Measurement
from ser_pipeline.benchmarks.scale import draw_scale, figures
from tests.store.forked import python


@pytest.mark.slow
def test_every_step_is_measured_at_every_size(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", python)
    found = list(figures(tmp_path, keys=(5_000,), clips=(40,)))
    assert [figure.work for figure in found] == [
        "read 5,000",
        "validate 5,000",
        "split 5,000",
        "index 5,000",
        "status 5,000",
        "complete 5,000",
        "cache 40",
    ]
    assert all(figure.rate > 0 and "MiB" in figure.note for figure in found)


def test_every_step_has_a_line_of_time_and_one_of_memory(tmp_path):
    found = [
        Measurement(f"{step} {size:,}", size / 1e4, "s", peak_mib=100.0 + size / 100)
        for step in ("read", "split")
        for size in (10, 10_000)
    ]
    draw_scale(found, tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert "legend" in text
    assert text.count("stroke: #0072b2") == text.count("stroke: #d55e00") > 0
    without = [Measurement(figure.work, figure.rate, "s") for figure in found]
    draw_scale(without, tmp_path / "y.svg")
    assert 0 < (tmp_path / "y.svg").read_text().count("stroke: #0072b2") < text.count("stroke: #0072b2")
