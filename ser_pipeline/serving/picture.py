"""Emotion over time as a picture."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_pipeline.atomic import write_atomically
from ser_pipeline.serving.prediction import Prediction

COLOURS = {
    "anger": "#c0392b", "happiness": "#e0a100", "neutral": "#7f8c8d", "sadness": "#2e6da4",
    "fear": "#6c3483", "surprise": "#d35400", "disgust": "#5d7b1f", "calm": "#48a999",
    "boredom": "#a1887f", "excitement": "#ec407a", "frustration": "#8d3b2e", "contempt": "#455a64",
}  # fmt: skip
"""One colour for each emotion, the same in every picture."""


def draw_timeline(predictions: Sequence[Prediction], emotions: Sequence[str], path: Path) -> None:
    """Draw probabilities over time, stacked; stretches without speech stay empty.

    Args:
        predictions: of the windows of one recording, in order.
        emotions: class names, from the bottom up.
        path: to write; its suffix decides the format.

    Raises:
        SerError: the file cannot be written.
    """
    figure = timeline_figure(predictions, emotions)
    title = os.path.basename(predictions[0].name).replace("$", r"\$")
    figure.axes[0].set_title(title, loc="left", fontsize=10)
    with write_atomically(path) as part:
        figure.savefig(part, format=path.suffix[1:], dpi=150)


def timeline_figure(predictions: Sequence[Prediction], emotions: Sequence[str]) -> Any:
    """Draw probabilities over time as a figure of matplotlib; arguments as of :func:`draw_timeline`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    _fill(axes, predictions, emotions)
    axes.set(xlabel="seconds (middle of the window)", ylabel="probability", ylim=(0, 1))
    axes.set_xlim(0, max(predictions[-1].end_s, 0.1))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)
    return figure


def _fill(axes: Any, predictions: Sequence[Prediction], emotions: Sequence[str]) -> None:
    middle = np.array([(each.start_s + each.end_s) / 2 for each in predictions])
    shares = np.array([[each.probabilities.get(name, np.nan) for name in emotions] for each in predictions])
    edges = _edges(middle, predictions[-1].end_s)
    below = np.zeros(len(predictions))
    for name, column in zip(emotions, shares.T, strict=True):
        axes.bar(edges[:-1], column, np.diff(edges), below, align="edge", color=COLOURS[name], label=name)
        below = below + column


def _edges(middle: "np.typing.NDArray[np.float64]", end_s: float) -> "np.typing.NDArray[np.float64]":
    """Half way between the middles of neighbours, from 0 to the end."""
    return np.concatenate([[0.0], (middle[1:] + middle[:-1]) / 2, [end_s]])
