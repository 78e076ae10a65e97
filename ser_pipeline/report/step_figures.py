"""Drawings of the front end: one recording step by step, and levels by corpus."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ser_pipeline.report.document import Panel
from ser_pipeline.report.drawing import BLUE, HEAT, INK, MUTED, VERMILLION, canvas, grid, panel, readable
from ser_pipeline.report.facts import corpus_title
from ser_pipeline.steps import ClipSteps

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


def _wave(axes: Axes, outline: npt.NDArray[np.float32], start: float, end: float, title: str) -> None:
    times = np.linspace(start, end, outline.shape[1])
    axes.fill_between(times, outline[0], outline[1], color=BLUE, linewidth=0.4, edgecolor=BLUE)
    loudest = max(0.01, float(np.abs(outline).max()))
    axes.set_ylim(-1.1 * loudest, 1.1 * loudest)
    axes.set_xlim(start, max(end, start + 0.01))
    axes.set_title(readable(title, 48), fontsize=8.5)
    axes.set_xlabel("seconds")
    axes.xaxis.labelpad = 1


def level_panel(levels: Mapping[str, npt.NDArray[np.float64]]) -> Panel:
    """Draw levels before levelling, one row for each corpus: range, middle half, median.

    Args:
        levels: corpus -> RMS of its recordings after trimming, in dB of full scale.
    """
    with canvas(6.4, 0.85 + 0.36 * len(levels)) as (figure, axes):
        told = []
        for row, (corpus, found) in enumerate(levels.items()):
            low, first, middle, third, high = np.percentile(found, [0, 25, 50, 75, 100])
            axes.plot([low, high], [-row, -row], color=MUTED, linewidth=1)
            axes.plot([first, third], [-row, -row], color=BLUE, linewidth=7, solid_capstyle="butt")
            axes.plot([middle, middle], [-row - 0.3, -row + 0.3], color=INK, linewidth=1.6)
            told.append(f"{corpus_title(corpus)}: median {middle:.0f} dB, {low:.0f} to {high:.0f}")
        axes.set_yticks([-row for row in range(len(levels))], [readable(corpus_title(c), 24) for c in levels])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(max(_QUIETEST_DB, min(float(found.min()) for found in levels.values()) - 2), 0)
        axes.set_ylim(-len(levels) + 0.4, 0.6)
        axes.set_xlabel("RMS in dB of full scale (line: all, bar: the middle half, upright line: median)")
        return panel(figure, "levels", "Levels by corpus. " + "; ".join(told), wide=True)
