from ser_pipeline.bench.measure import Figure
from ser_pipeline.bench.scale_plot import draw_scale


def test_every_step_has_a_line(tmp_path):
    found = [
        Figure(f"{step} {size:,}", size / 1e4, "s") for step in ("read", "split") for size in (10, 10_000)
    ]
    draw_scale(found, tmp_path / "x.svg")
    text = (tmp_path / "x.svg").read_text()
    assert text.count('id="line2d') > 2
    assert "legend" in text
