"""Draw what :mod:`ser_pipeline.bench.scale` measured: time and memory against size, all logarithmic."""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from ser_pipeline.atomic import write_atomically
from ser_pipeline.bench.measure import Figure

_STYLES: Final = (
    ("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"),
    ("#e69f00", "v"), ("#56b4e9", "P"), ("#000000", "X"),
)  # fmt: skip
"""Colours of Okabe and Ito, told apart by every kind of eye, each with a marker of its own."""


def draw_scale(figures: Sequence[Figure], path: Path) -> None:
    """Write one line per step; a step whose time grows with its size has slope 1.

    Args:
        figures: their ``work`` is a step and a size, their ``rate`` seconds.
        path: of the SVG to write.
    """
    drawing = Drawing(figsize=(9.6, 4.4), layout="constrained")
    times, memory = drawing.subplots(1, 2)
    _lines(times, figures, lambda figure: figure.rate)
    _lines(memory, figures, lambda figure: figure.peak_mib)
    times.set_ylabel("seconds")
    memory.set_ylabel("peak memory, MiB")
    times.legend(frameon=False)
    with write_atomically(path) as part:
        drawing.savefig(part, format="svg", metadata={"Date": None})


def _lines(axes: Axes, figures: Sequence[Figure], value: Callable[[Figure], float | None]) -> None:
    steps: dict[str, list[tuple[int, float]]] = {}
    for figure in figures:
        step, _, size = figure.work.rpartition(" ")
        found = value(figure)
        if found is not None:
            steps.setdefault(step, []).append((int(size.replace(",", "")), found))
    for (step, points), (colour, marker) in zip(steps.items(), cycle(_STYLES), strict=False):
        axes.loglog(*zip(*sorted(points), strict=True), color=colour, marker=marker, label=step)
    axes.set_xlabel("recordings")
    axes.grid(which="both", alpha=0.3)
