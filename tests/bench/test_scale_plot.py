from ser_pipeline.bench.measure import Figure
from ser_pipeline.bench.scale_plot import draw_scale


def test_every_step_has_a_line_of_time_and_one_of_memory(tmp_path):
    found = [
        Figure(f"{step} {size:,}", size / 1e4, "s", peak_mib=100.0 + size / 100)
        for step in ("read", "split")
        for size in (10, 10_000)
    ]
    draw_scale(found, tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert "legend" in text
    assert text.count("stroke: #0072b2") == text.count("stroke: #d55e00") > 0
    without = [Figure(figure.work, figure.rate, "s") for figure in found]
    draw_scale(without, tmp_path / "y.svg")
    assert 0 < (tmp_path / "y.svg").read_text().count("stroke: #0072b2") < text.count("stroke: #0072b2")
