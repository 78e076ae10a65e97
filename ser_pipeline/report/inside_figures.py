"""Drawings of what a network looks at, and of where it puts clips."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ser_pipeline.insights import AttendedClip, Embeddings
from ser_pipeline.report.cells import percent_text
from ser_pipeline.report.document import Panel
from ser_pipeline.report.drawing import (
    HEAT,
    INK,
    MUTED,
    PAPER,
    VERMILLION,
    Margins,
    canvas,
    grid,
    panel,
    readable,
)

Names = npt.NDArray[np.str_]

CATEGORIES: Final = (
    ("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"),
    ("#e69f00", "v"), ("#56b4e9", "P"), ("#8c6d31", "X"),
)  # fmt: skip
"""Colour and mark of each group on a map: the palette of Okabe and Ito, told apart by every kind of eye."""

COLUMNS: Final = 2
LEVELS: Final = 12
"""Steps of lightness of a mel, between 0 and 1."""

_MAP = Margins(left=0.1, bottom=0.85, top=0.3)


def attention_panel(
    clips: Sequence[AttendedClip], emotions: Sequence[str], name: str, seconds: float
) -> Panel:
    """Draw the mels of clips, and over each how much its steps counted.

    Args:
        clips: what to draw.
        emotions: class names.
        name: of the drawing.
        seconds: length of a frame.
    """
    rows = -(-len(clips) // COLUMNS)
    with grid(3.5 * COLUMNS, 2.05 * rows + 0.1, rows, COLUMNS) as (figure, axes):
        told = [
            _attention(axes[number], clip, emotions, number + 1, seconds) for number, clip in enumerate(clips)
        ]
        for empty in axes[len(clips) :]:
            empty.set_visible(False)
        return panel(figure, name, "Mel spectrograms with attention. " + " ".join(told), wide=True)


def _attention(axes: Axes, clip: AttendedClip, emotions: Sequence[str], number: int, seconds: float) -> str:
    """Draw one clip, and say in words what can be seen."""
    bands, frames = clip.mel.shape
    length = max(frames, 1) * seconds
    edges = np.linspace(0, length, len(clip.weights) + 1)
    height = clip.weights * len(clip.weights)
    scale = bands / max(4.0, 1.1 * float(height.max(initial=1)))
    axes.imshow(
        np.round(LEVELS * clip.mel) / LEVELS,  # what no eye can tell apart makes a page no larger
        cmap=HEAT, origin="lower", aspect="auto", extent=(0, length, 0, bands), vmin=-1, vmax=1,
        interpolation="none",
    )  # fmt: skip
    for colour, width in ((PAPER, 3.2), (VERMILLION, 1.6)):
        axes.stairs(height * scale, edges, color=colour, linewidth=width)
    axes.axhline(scale, color=PAPER, linewidth=0.8, linestyle=":")
    axes.set(xlim=(0, length), ylim=(0, bands), yticks=[])  # each label takes its time to be drawn
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("seconds", labelpad=1)
    if number % COLUMNS == 1:
        axes.set_ylabel("mel bands", labelpad=1)
    axes.set_title(readable(f"{number}: {_told(clip, emotions)}", 60), fontsize=8.5)
    largest = int(clip.weights.argmax())
    return (
        f"{number}, {clip.utterance_id}, {length:.1f} s: {_told(clip, emotions)}; most weight at "
        f"{edges[largest]:.1f} to {edges[largest + 1]:.1f} s, {height[largest]:.1f} times the even share."
    )


def _told(clip: AttendedClip, emotions: Sequence[str]) -> str:
    true, decided = emotions[clip.target], emotions[clip.predicted]
    sure = percent_text(clip.probability)
    return f"{true}, {sure} sure" if true == decided else f"{true}, taken for {decided}, {sure} sure"


def map_panel(found: Embeddings, groups: Names, what: str, name: str) -> Panel:
    """Draw the map of clips, coloured by a group.

    Args:
        found: places of the clips.
        groups: of each clip, shape ``(clips,)``.
        what: the group is, as ``corpus``.
        name: of the drawing.
    """
    shown = [group for group, _ in Counter(groups.tolist()).most_common(len(CATEGORIES))]
    styles: Mapping[str, tuple[str, str]] = dict(zip(sorted(shown), CATEGORIES, strict=False))
    x, y = found.places.T
    with canvas(3.3, 3.5, _MAP) as (figure, axes):
        rest = ~np.isin(groups, shown)
        if rest.any():
            axes.scatter(x[rest], y[rest], 9, color=MUTED, marker=".", label="others", linewidths=0)
        for group, (colour, mark) in styles.items():
            axes.scatter(
                x[groups == group], y[groups == group], 12,
                color=colour, marker=mark, alpha=0.8, linewidths=0, label=readable(group, 16),
            )  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(INK)
        axes.set_title(f"by {what}")
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, handletextpad=0.1, columnspacing=0.8,
            fontsize=7.5,
        )  # fmt: skip
        alt = f"Map of {len(groups)} clips by {what}: " + ", ".join(
            f"{group} {count}" for group, count in Counter(groups.tolist()).most_common(8)
        )
        return panel(figure, name, alt)
