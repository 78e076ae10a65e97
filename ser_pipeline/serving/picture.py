"""Emotion over time as a picture."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s
from ser_pipeline.atomic import write_atomically
from ser_pipeline.metrics.occlusion import BANDS, FRAMES
from ser_pipeline.options import FrontEnd
from ser_pipeline.serving.prediction import Prediction
from ser_pipeline.serving.scorer import PreparedClip

COLOURS = {
    "anger": "#c0392b", "happiness": "#e0a100", "neutral": "#7f8c8d", "sadness": "#2e6da4",
    "fear": "#6c3483", "surprise": "#d35400", "disgust": "#5d7b1f", "calm": "#48a999",
    "boredom": "#a1887f", "excitement": "#ec407a", "frustration": "#8d3b2e", "contempt": "#455a64",
}  # fmt: skip
"""One colour for each emotion, the same in every picture."""

NAMES = {name: name for name in COLOURS}


def draw_timeline(predictions: Sequence[Prediction], emotions: Sequence[str], path: Path) -> None:
    """Draw probabilities over time, stacked; stretches without speech stay empty.

    Args:
        predictions: of the windows of one recording, in order.
        emotions: class names, from the bottom up.
        path: to write; its suffix decides the format.

    Raises:
        SerError: the file cannot be written.
    """
    figure = timeline_figure(predictions, emotions, os.path.basename(predictions[0].name))
    with write_atomically(path) as part:
        figure.savefig(part, format=path.suffix[1:], dpi=150)


def timeline_figure(
    predictions: Sequence[Prediction],
    emotions: Sequence[str],
    title: str = "",
    *,
    labels: Sequence[str] = ("seconds (middle of the window)", "probability"),
    names: Mapping[str, str] = NAMES,
) -> Any:
    """The same as a matplotlib figure.

    Args:
        predictions: of the windows of one recording, in order.
        emotions: class names, from the bottom up.
        title: above it.
        labels: of both axes.
        names: of emotions, for the legend.
    """
    figure = _figure(7.2, 3.0)
    axes = figure.add_subplot()
    _fill(axes, predictions, emotions, names)
    axes.set(xlabel=labels[0], ylabel=labels[1], ylim=(0, 1))
    axes.set_xlim(0, max(predictions[-1].end_s, 0.1))
    axes.set_title(title.replace("$", r"\$"), loc="left", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)
    return figure


def mel_figure(
    clip: PreparedClip,
    attention: Float32s | None,
    front_end: FrontEnd,
    frames_per_step: int,
    labels: Sequence[str],
) -> Any:
    """A matplotlib figure of the mels a network saw, with its attention over them.

    Args:
        clip: of mels.
        attention: weights of steps, shape ``(steps,)``; None leaves them out.
        front_end: of the model.
        frames_per_step: of the model.
        labels: of time, bands and attention.
    """
    figure = _figure(7.2, 3.0)
    axes = figure.add_subplot()
    seconds = front_end.hop_length / front_end.sample_rate
    end_s = clip.start_s + clip.frames * seconds
    axes.imshow(
        clip.values[:, : clip.frames], origin="lower", aspect="auto", cmap="magma",
        extent=(clip.start_s, end_s, 0, front_end.n_mels),
    )  # fmt: skip
    axes.set(xlabel=labels[0], ylabel=labels[1])
    if attention is not None:
        _draw_attention(axes, attention, clip.start_s, frames_per_step * seconds, end_s)
        figure.axes[-1].set_ylabel(labels[2])
    return figure


def moved_figure(clip: PreparedClip, moved: Float32s, front_end: FrontEnd, labels: Sequence[str]) -> Any:
    """A matplotlib figure of the mels in grey, and over them what spoke for the decision and what against it.

    Args:
        clip: of mels.
        moved: how far the decision falls without each patch, shape ``(rows, columns)``.
        front_end: of the model.
        labels: of time and bands.
    """
    figure = _figure(7.2, 3.0)
    axes = figure.add_subplot()
    end_s = clip.start_s + clip.frames * front_end.hop_length / front_end.sample_rate
    where = (clip.start_s, end_s, 0, front_end.n_mels)
    most = float(np.abs(moved).max()) or 1.0
    whole = np.repeat(np.repeat(moved / most, BANDS, 0), FRAMES, 1)[: front_end.n_mels, : clip.frames]
    axes.imshow(clip.values[:, : clip.frames], origin="lower", aspect="auto", cmap="gray", extent=where)
    axes.imshow(
        whole, origin="lower", aspect="auto", cmap="PuOr_r", extent=where, vmin=-1, vmax=1,
        alpha=0.85 * np.abs(whole), interpolation="none",
    )  # fmt: skip
    axes.set(xlabel=labels[0], ylabel=labels[1])
    return figure


def _draw_attention(axes: Any, attention: Float32s, start_s: float, step_s: float, end_s: float) -> None:
    """A line over the mels, highest where the network looks most."""
    weights = attention[: max(1, round((end_s - start_s) / step_s))]
    above = axes.twinx()
    edges = start_s + step_s * np.arange(weights.size + 1)
    edges[-1] = end_s
    above.stairs(weights, edges, color="#7fffd4", linewidth=2.2)
    above.set_ylim(0, 1.15 * float(weights.max()))
    above.set_xlim(start_s, end_s)


def _figure(width: float, height: float) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _fill(
    axes: Any, predictions: Sequence[Prediction], emotions: Sequence[str], names: Mapping[str, str]
) -> None:
    middle = np.array([(each.start_s + each.end_s) / 2 for each in predictions])
    shares = np.array([[each.probabilities.get(name, np.nan) for name in emotions] for each in predictions])
    edges = _edges(middle, predictions[-1].end_s)
    below = np.zeros(len(predictions))
    for name, column in zip(emotions, shares.T, strict=True):
        axes.bar(
            edges[:-1], column, np.diff(edges), below, align="edge", color=COLOURS[name], label=names[name]
        )
        below = below + column


def _edges(middle: Float64s, end_s: float) -> Float64s:
    """Half way between the middles of neighbours, from 0 to the end."""
    return np.concatenate([[0.0], (middle[1:] + middle[:-1]) / 2, [end_s]])
