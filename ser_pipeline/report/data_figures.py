"""Drawings of the data and of the front end."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from ser_pipeline.arrays import Float32s, Float64s, Int64s
from ser_pipeline.labels import EMOTIONS, distance_matrix
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.manifest.describe import CorpusFacts, Held
from ser_pipeline.previews import ClipSteps
from ser_pipeline.report.document import Panel
from ser_pipeline.report.drawing import (
    BLUE,
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
from ser_pipeline.tables.cells import plural, thousands

WINDOW_S = 4.0
"""Longest stretch a network sees at once in both presets, in seconds."""

BRIGHTEST = 0.35
"""Share of a corpus at which its cell is brightest: twice the even share of six emotions."""

EMOTION_AXES = Margins(left=1.05, bottom=0.95)
"""Fits emotion names on both axes."""

LONGEST_BIN_S = 10.0
"""Clips of this length or more share the last bin of the histogram."""


def language_panel(languages: Sequence[Held], known: KnownCorpora) -> Panel:
    """Draw clips by language as bars."""
    total = sum(language.clips for language in languages)
    titles = [readable(known.language(language.name), 24) for language in languages]
    with canvas(6.4, 0.75 + 0.34 * len(languages)) as (figure, axes):
        clips = [language.clips for language in languages]
        bars = axes.barh(titles, clips, color=BLUE, height=0.62)
        labels = [
            f"{thousands(language.clips)} ({100 * language.clips / total:.1f} %), "
            f"{plural(language.speakers, 'speaker')}, {language.seconds / 3600:.1f} h"
            for language in languages
        ]
        axes.bar_label(bars, labels, padding=4, fontsize=8.5)
        axes.set_xlim(0, max(clips) * 1.75)
        axes.invert_yaxis()
        axes.set_xlabel("recordings")
        axes.tick_params(axis="y", length=0)
        alt = "Bars: recordings by language. " + "; ".join(
            f"{title}: {label}" for title, label in zip(titles, labels, strict=True)
        )
        return panel(figure, "languages", alt, wide=True)


def heat_cells(
    axes: Axes,
    shares: Float64s,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    palette: str = HEAT,
) -> None:
    """Draw a heat map with a text in each cell, dark on light and light on dark; no text, no cell.

    Args:
        axes: to draw on.
        shares: colour of each cell in [0, 1], shape ``(rows, columns)``.
        texts: of each cell.
        rows: labels, top first.
        columns: labels.
        palette: of matplotlib; 0.5 is its middle.
    """
    blank = np.array([[not text for text in row] for row in texts])
    axes.pcolormesh(
        np.ma.masked_where(blank, shares), cmap=palette, vmin=0, vmax=1, edgecolors=PAPER, linewidth=0.6
    )
    colours = colormaps[palette](np.clip(shares, 0, 1))
    for row, column in np.ndindex(*shares.shape):
        light = float(colours[row, column, :3] @ (0.2126, 0.7152, 0.0722)) > 0.42
        axes.text(
            column + 0.5,
            row + 0.5,
            texts[row][column],
            ha="center",
            va="center",
            fontsize=8,
            color="#000000" if light else "#ffffff",
        )
    axes.set_xticks(np.arange(len(columns)) + 0.5, [readable(name, 24) for name in columns])
    axes.set_yticks(np.arange(len(rows)) + 0.5, [readable(name, 24) for name in rows])
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)


def emotion_panel(titles: Sequence[str], emotions: Sequence[str], counts: Int64s) -> Panel:
    """Draw clips by corpus and emotion; the colour is the share of the corpus.

    Args:
        titles: of the corpora.
        emotions: names.
        counts: shape ``(corpora, emotions)``.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    texts = [[thousands(int(number)) if number else "" for number in row] for row in counts]
    with canvas(1.6 + 0.68 * len(emotions), 1.15 + 0.36 * len(titles)) as (figure, axes):
        heat_cells(axes, np.minimum(shares / BRIGHTEST, 1), texts, titles, emotions)
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
        rows = (
            f"{title}: "
            + ", ".join(f"{name} {number}" for name, number in zip(emotions, row, strict=True) if number)
            for title, row in zip(titles, counts.tolist(), strict=True)
        )
        return panel(
            figure, "emotions", "Heat map: recordings by corpus and emotion. " + "; ".join(rows), wide=True
        )


def duration_panel(corpora: Sequence[CorpusFacts], known: KnownCorpora) -> Panel:
    """Draw one histogram of durations per corpus, over a common axis."""
    shown = [corpus for corpus in corpora if corpus.clips]
    edges = np.arange(0, LONGEST_BIN_S + 0.5, 0.25)
    with canvas(6.4, 0.85 + 0.42 * len(shown)) as (figure, axes):
        for row, corpus in enumerate(shown):
            counts, _ = np.histogram(np.minimum(corpus.seconds, LONGEST_BIN_S), edges)
            heights = 0.85 * counts / max(1, counts.max())
            axes.bar(edges[:-1], heights, 0.25, bottom=-row, align="edge", color=BLUE, linewidth=0)
            axes.axhline(-row, color=MUTED, linewidth=0.6)
            median = float(np.median(corpus.seconds))
            axes.plot([median, median], [-row, -row + 0.9], color=INK, linewidth=1.4)
        axes.axvline(WINDOW_S, color=VERMILLION, linestyle="--", linewidth=1.2)
        axes.text(
            WINDOW_S + 0.08, 0.95, "4 s: longer clips are cut", color=VERMILLION, fontsize=8.5, va="bottom"
        )
        axes.set_yticks(
            [0.35 - row for row in range(len(shown))], [readable(known.title(c.name), 24) for c in shown]
        )
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, LONGEST_BIN_S + 0.25)
        axes.set_xlabel(
            f"duration in s ({LONGEST_BIN_S:.0f} s and more in the last bar; upright line: median)"
        )
        rows = "; ".join(f"{known.title(c.name)}: median {np.median(c.seconds):.1f} s" for c in shown)
        return panel(figure, "durations", f"Histograms of durations, one per corpus. {rows}", wide=True)


def distance_panel() -> Panel:
    """Draw the source report's matrix of distances between emotions."""
    names = EMOTIONS[:6]
    matrix = np.array(distance_matrix(names))
    with canvas(4.7, 4.3, EMOTION_AXES) as (figure, axes):
        texts = [[f"{value:.1f}" for value in row] for row in matrix]
        heat_cells(axes, (matrix - 0.5) / 0.5, texts, names, names)
        axes.set_xlabel("decided")
        axes.set_ylabel("true")
        axes.set_aspect("equal")
        axes.tick_params(axis="x", labelrotation=35)
        rows = (f"{name}: {', '.join(row)}" for name, row in zip(names, texts, strict=True))
        return panel(
            figure, "distance-matrix", f"Heat map: distances between {', '.join(names)}. " + "; ".join(rows)
        )


_QUIETEST_DB = -70.0


def steps_panel(clip: ClipSteps, number: int) -> Panel:
    """Draw what the front end does to one recording, from top to bottom.

    Args:
        clip: outlines of its waves, and its mel.
        number: of the drawing, from 1.
    """
    with grid(3.6, 6.4, 4, 1) as (figure, axes):
        _wave(axes[0], clip.decoded, 0, clip.seconds, "decoded, mono")
        _wave(axes[1], clip.denoised, 0, clip.seconds, "denoised; trimmed outside the lines")
        for edge in (clip.trim_start_s, clip.trim_end_s):
            axes[1].axvline(edge, color=VERMILLION, linewidth=1.2, linestyle="--")
        kept = clip.trim_end_s - clip.trim_start_s
        _wave(axes[2], clip.levelled, 0, kept, "trimmed and levelled")
        bands, frames = clip.mel.shape
        length = frames * clip.frame_s
        axes[3].imshow(
            np.round(12 * clip.mel) / 12, cmap=HEAT, origin="lower", aspect="auto",
            extent=(0, length, 0, bands), interpolation="none",
        )  # fmt: skip
        axes[3].set_title("mel spectrogram", fontsize=8.5)
        axes[3].set(xlabel="seconds", ylabel="mel band")
        axes[3].xaxis.labelpad = axes[3].yaxis.labelpad = 1
        alt = (
            f"{clip.utterance_id}: wave of {clip.seconds:.1f} s, the same denoised, {kept:.1f} s kept by "
            f"trimming from {clip.trim_start_s:.2f} to {clip.trim_end_s:.2f} s at {clip.level_db:.0f} dB "
            f"of full scale, levelled, and {frames} frames of {bands} mel bands"
        )
        return panel(figure, f"steps-{number}", alt)


def _wave(axes: Axes, outline: Float32s, start: float, end: float, title: str) -> None:
    times = np.linspace(start, end, outline.shape[1])
    axes.fill_between(times, outline[0], outline[1], color=BLUE, linewidth=0.4, edgecolor=BLUE)
    loudest = max(0.01, float(np.abs(outline).max()))
    axes.set_ylim(-1.1 * loudest, 1.1 * loudest)
    axes.set_xlim(start, max(end, start + 0.01))
    axes.set_title(readable(title, 48), fontsize=8.5)
    axes.set_xlabel("seconds")
    axes.xaxis.labelpad = 1


def level_panel(levels: Mapping[str, Float64s]) -> Panel:
    """Draw levels before levelling, one row for each corpus: range, middle half, median.

    Args:
        levels: title of a corpus -> RMS of its recordings after trimming, in dB of full scale.
    """
    with canvas(6.4, 0.85 + 0.36 * len(levels)) as (figure, axes):
        told = []
        for row, (corpus, found) in enumerate(levels.items()):
            low, first, middle, third, high = np.percentile(found, [0, 25, 50, 75, 100])
            axes.plot([low, high], [-row, -row], color=MUTED, linewidth=1)
            axes.plot([first, third], [-row, -row], color=BLUE, linewidth=7, solid_capstyle="butt")
            axes.plot([middle, middle], [-row - 0.3, -row + 0.3], color=INK, linewidth=1.6)
            told.append(f"{corpus}: median {middle:.0f} dB, {low:.0f} to {high:.0f}")
        axes.set_yticks([-row for row in range(len(levels))], [readable(c, 24) for c in levels])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(max(_QUIETEST_DB, min(float(found.min()) for found in levels.values()) - 2), 0)
        axes.set_ylim(-len(levels) + 0.4, 0.6)
        axes.set_xlabel("RMS in dB of full scale (line: all, bar: the middle half, upright line: median)")
        return panel(figure, "levels", "Levels by corpus. " + "; ".join(told), wide=True)
