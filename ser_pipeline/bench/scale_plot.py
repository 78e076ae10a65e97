"""Draw what :mod:`ser_pipeline.bench.scale` measured: time against size, both logarithmic."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from ser_pipeline.atomic import write_atomically
from ser_pipeline.bench.measure import Figure


def draw_scale(figures: Sequence[Figure], path: Path) -> None:
    """Write one line per step; a step whose time grows with its size has slope 1.

    Args:
        figures: their ``work`` is a step and a size, their ``rate`` seconds.
        path: of the SVG to write.
    """
    steps: dict[str, list[tuple[int, float]]] = {}
    for figure in figures:
        step, _, size = figure.work.rpartition(" ")
        steps.setdefault(step, []).append((int(size.replace(",", "")), figure.rate))
    drawing = Drawing(figsize=(6.4, 4.4), layout="constrained")
    axes = drawing.subplots()
    for step, points in steps.items():
        axes.loglog(*zip(*sorted(points), strict=True), marker="o", label=step)
    axes.set_xlabel("recordings")
    axes.set_ylabel("seconds")
    axes.grid(which="both", alpha=0.3)
    axes.legend(frameon=False)
    with write_atomically(path) as part:
        drawing.savefig(part, format="svg", metadata={"Date": None})
