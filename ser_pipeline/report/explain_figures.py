"""Drawings of what a run's features tell: importances, effects, and which features say the same."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ser_pipeline.explanations import EffectTable, Explanation, Importance
from ser_pipeline.report.cells import signed
from ser_pipeline.report.data_figures import heat_cells
from ser_pipeline.report.document import Panel
from ser_pipeline.report.drawing import BLUE, INK, MUTED, SIGNED, Margins, canvas, panel, readable
from ser_pipeline.report.facts import language_title

ROW = 0.24
"""Height of a row of a drawing, in inches."""

LETTER = 0.071
"""Room for a letter of a name, in inches; the widest names are of small letters."""

LONGEST_NAME = 30

STRONGEST = 2.0
"""Effect at which a cell has its full colour: two deviations."""

ALIKE = 0.6
"""Mean correlation at which a cell is brightest; groups of features that are more alike are rare."""

Floats = npt.NDArray[np.float64]


def importance_panel(name: str, what: str, entries: Sequence[Importance], *, bars: bool) -> Panel:
    """Draw drops of UAR in points with their intervals, the greatest first.

    Args:
        name: of the files.
        what: is permuted, for who cannot see it.
        entries: in the order they are drawn.
        bars: as bars from zero; else as points.
    """
    left = _room([entry.name for entry in entries])
    with canvas(2.7 + left, 0.7 + ROW * len(entries), Margins(left, 0.5)) as (figure, axes):
        places = range(len(entries))
        drops = [100 * entry.drop.value for entry in entries]
        if bars:
            axes.barh(places, drops, color=BLUE, height=0.62)
        else:
            axes.plot(drops, places, "o", color=BLUE, markersize=4)
        for place, entry in enumerate(entries):
            if entry.drop.low is not None and entry.drop.high is not None:
                ends = [100 * entry.drop.low, 100 * entry.drop.high]
                axes.plot(ends, [place, place], color=INK if bars else BLUE, linewidth=1.2)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(places, [readable(entry.name, LONGEST_NAME) for entry in entries])
        axes.set_ylim(len(entries) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=MUTED, alpha=0.25, linewidth=0.6)
        axes.set_xlabel("drop of UAR in points")
        told = "; ".join(
            f"{entry.name} {drop:.1f}" for entry, drop in zip(entries, drops, strict=True)
        ).replace("-", "\u2212")
        return panel(figure, name, f"Drop of UAR in points when {what} is permuted: {told}")


def effects_panel(name: str, rows: Sequence[int], explanation: Explanation, table: EffectTable) -> Panel:
    """Draw Hedges' g of some features by emotion: orange above the other emotions, purple below."""
    values = [table.values[row] for row in rows]
    names = [explanation.features[row].name for row in rows]
    what = "Heat map of Hedges' g, one emotion against the others. "
    return _signed_panel(name, what, values, names, explanation.emotions, STRONGEST)


def language_panel(name: str, explanation: Explanation) -> Panel:
    """Draw how alike the effects of every two languages are, by emotion."""
    values = [pair.similarity for pair in explanation.languages]
    names = [
        f"{language_title(pair.first)} / {language_title(pair.second)}" for pair in explanation.languages
    ]
    what = "Heat map of correlations of effects between languages. "
    return _signed_panel(name, what, values, names, explanation.emotions, 1.0)


def _signed_panel(
    name: str,
    what: str,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    greatest: float,
) -> Panel:
    """Draw numbers around zero with their signs; a cell without a number stays empty."""
    numbers = np.array([[np.nan if value is None else value for value in row] for row in values], np.float64)
    texts = [[signed(value) if value is not None else "" for value in row] for row in values]
    shares = 0.5 + 0.5 * np.clip(np.nan_to_num(numbers) / greatest, -1, 1)
    left, below = _room(rows), _below(columns)
    width, height = left + 0.1 + 0.66 * len(columns), below + 0.1 + ROW * len(rows)
    with canvas(width, height, Margins(left, below)) as (figure, axes):
        heat_cells(axes, shares, texts, rows, columns, SIGNED)
        _label(axes, rows)
        told = "; ".join(
            f"{row}: "
            + ", ".join(f"{column} {text}" for column, text in zip(columns, line, strict=True) if text)
            for row, line in zip(rows, texts, strict=True)
        )
        return panel(figure, name, what + told, wide=True)


def groups_panel(name: str, explanation: Explanation) -> Panel:
    """Draw the mean absolute correlation of features within and between groups."""
    groups = explanation.groups
    values: Floats = np.array(explanation.group_correlations, np.float64).reshape(len(groups), len(groups))
    texts = [[f"{value:.2f}" for value in row] for row in values]
    left, below = _room(groups), _below(groups)
    width, height = left + 0.1 + 0.46 * len(groups), below + 0.1 + 0.28 * len(groups)
    with canvas(width, height, Margins(left, below)) as (figure, axes):
        heat_cells(axes, np.minimum(values / ALIKE, 1), texts, groups, groups)
        _label(axes, groups)
        told = "; ".join(
            f"{group}: " + ", ".join(f"{other} {text}" for other, text in zip(groups, row, strict=True))
            for group, row in zip(groups, texts, strict=True)
        )
        what = "Heat map: mean absolute rank correlation between the features of two groups. "
        return panel(figure, name, what + told, wide=True)


def _room(names: Sequence[str]) -> float:
    """Width of the longest name, in inches."""
    return 0.25 + LETTER * max((len(readable(name, LONGEST_NAME)) for name in names), default=0)


def _below(names: Sequence[str]) -> float:
    """Height of turned names, in inches."""
    return 0.3 + 0.6 * LETTER * max((len(readable(name, 24)) for name in names), default=0)


def _label(axes: Axes, rows: Sequence[str]) -> None:
    """Name rows in full, and turn the names of columns."""
    axes.set_yticks(np.arange(len(rows)) + 0.5, [readable(row, LONGEST_NAME) for row in rows])
    axes.tick_params(axis="x", labelrotation=35)
    for label in axes.get_xticklabels():
        label.set_horizontalalignment("right")
        label.set_rotation_mode("anchor")
