"""Drawings of runs: learning curves, confusions, calibration, and runs side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ser_pipeline.metrics import reliability, risk_coverage
from ser_pipeline.report.document import Panel
from ser_pipeline.report.drawing import (
    BLUE,
    CHART,
    EMOTION_AXES,
    GREEN,
    MUTED,
    VERMILLION,
    canvas,
    heat_cells,
    hover,
    panel,
)
from ser_pipeline.runs.curves import Curve
from ser_pipeline.runs.predictions import Predictions
from ser_pipeline.runs.ratings import GroupKind
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.tested import too_few, whole_groups
from ser_pipeline.runs.types import GroupScores
from ser_pipeline.tables.cells import percent_text, plural

MIN_GROUP_CLIPS = 10
"""Smaller groups are shown but not called the worst: their scores are mostly chance."""

MISTAKES = 10
"""Wrong decisions that are listed."""

MAX_TOLD = 40
"""Points of a curve that tell their numbers when they are pointed at."""

GROUP_KINDS: tuple[GroupKind, ...] = get_args(GroupKind)


@dataclass(frozen=True)
class Mistake:
    """A wrong decision."""

    clip: str
    target: int
    predicted: int
    confidence: float


def surest_mistakes(predictions: Predictions) -> list[Mistake]:
    """The :data:`MISTAKES` wrong decisions with the highest probability, the most confident first."""
    sure = predictions.probabilities.max(1, initial=0)
    wrong = np.flatnonzero(predictions.predicted != predictions.target)
    order = sorted(wrong.tolist(), key=lambda place: (-sure[place], predictions.clips[place]))
    return [
        Mistake(
            predictions.clips[place],
            int(predictions.target[place]),
            int(predictions.predicted[place]),
            float(sure[place]),
        )
        for place in order[:MISTAKES]
    ]


def groups_by_kind(run: Run) -> dict[GroupKind, list[GroupScores]]:
    """Groups of the shown part, by what they were made by; single groups left out.

    Those with the most emotions come first, as UARs over other emotions do not compare, then the worst UAR.
    """
    found = {kind: [group for group in run.shown.groups if group.by == kind] for kind in GROUP_KINDS}
    return {
        kind: sorted(groups, key=lambda group: (-(group.emotions or 0), group.uar, group.name))
        for kind, groups in found.items()
        if len(groups) > 1
    }


def worst_groups(run: Run) -> tuple[list[GroupScores], int]:
    """The group with the lowest UAR of each kind, and how many groups lack emotions and are not compared.

    Compared are those of :data:`MIN_GROUP_CLIPS` clips or more with clips of every emotion of the part.
    """
    worst: list[GroupScores] = []
    lacking = 0
    for groups in groups_by_kind(run).values():
        enough = [group for group in groups if group.clips >= MIN_GROUP_CLIPS]
        compared = whole_groups(run.shown, enough)
        lacking += len(enough) - len(compared)
        worst += compared[:1] if len(compared) > 1 else []
    return worst, lacking


WIDTH = 4.7
HEIGHT = 3.1
MAX_POINTS = 200
"""Of the risk-coverage curve; more could not be distinguished in print."""

_SCORE_LINES = (
    ("train_accuracy", "training accuracy", MUTED, "--"),
    ("validation_accuracy", "validation accuracy", BLUE, "-"),
    ("validation_uar", "validation UAR", VERMILLION, "-"),
)
_LOSS_LINES = (("train_loss", "training", MUTED, "--"), ("validation_loss", "validation", BLUE, "-"))


def curve_panels(run: Run) -> tuple[Panel, ...]:
    """Draw loss and scores by epoch, each fold as one thin line; nothing for a run without epochs."""
    curves = [curve for curve in run.curves if curve.epochs]
    if not curves:
        return ()
    stem = f"training-{run.tag.lower()}"
    return (
        _curve_panel(run, curves, _LOSS_LINES, "loss", f"{stem}-loss", scale=1.0),
        _curve_panel(run, curves, _SCORE_LINES, "score in %", f"{stem}-score", scale=100.0),
    )


def _curve_panel(
    run: Run,
    curves: Sequence[Curve],
    lines: Sequence[tuple[str, str, str, str]],
    unit: str,
    name: str,
    scale: float,
) -> Panel:
    said = []
    with canvas(WIDTH, HEIGHT, CHART) as (figure, axes):
        for column, title, colour, style in lines:
            drawn = [curve.column(column) for curve in curves]
            for number, (epochs, values) in enumerate((e, v) for e, v in drawn if len(e)):
                label = title if number == 0 else None
                width = 1.6 if len(curves) == 1 else 0.8
                mark = "o" if len(epochs) == 1 else None
                axes.plot(
                    epochs, scale * values, style, color=colour, label=label, linewidth=width, marker=mark
                )
                said.append(f"{title} from {scale * values[0]:.3g} to {scale * values[-1]:.3g}")
                texts = [
                    f"epoch {e:.0f}: {title} {scale * v:.3g}" for e, v in zip(epochs, values, strict=True)
                ]
                hover(axes, epochs, scale * values, texts)
        _mark_best(axes, run, curves)
        axes.set_xlabel("epoch")
        axes.set_ylabel(unit)
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        if said:
            axes.legend(loc="upper right" if unit == "loss" else "lower right")
        what = f"Line chart over epochs, {unit}: {'; '.join(said[:6])}"
        return panel(figure, name, what)


def _mark_best(axes: Axes, run: Run, curves: Sequence[Curve]) -> None:
    if run.info.best_epoch is None or len(curves) > 1:
        return
    axes.axvline(run.info.best_epoch, color=GREEN, linewidth=1.2, linestyle=":", label="epoch kept")


def confusion_panel(run: Run) -> Panel:
    """Draw the confusion matrix: counts and, below them, the share of the true emotion in percent."""
    scores = run.shown.pooled
    names = [entry.emotion for entry in scores.classes]
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    texts = [
        [f"{count}\n{100 * share:.0f} %" for count, share in zip(*row, strict=True)]
        for row in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    side = max(3.6, 0.6 * len(names))
    with canvas(side + EMOTION_AXES.left, side + EMOTION_AXES.bottom, EMOTION_AXES) as (figure, axes):
        heat_cells(axes, shares, texts, names, names)
        axes.set_xlabel(f"decided ({run.part})")
        axes.set_ylabel("true")
        axes.tick_params(axis="x", labelrotation=35)
        told = "; ".join(
            f"of {sum(row)} {name}: "
            + ", ".join(f"{count} as {other}" for count, other in zip(row, names, strict=True))
            for name, row in zip(names, counts.tolist(), strict=True)
        )
        return panel(figure, f"confusion-{run.tag.lower()}", f"Confusion matrix of {run.tag}: {told}")


def calibration_panel(run: Run, predictions: Predictions) -> Panel:
    """Draw hits against confidence; the size of a point is its number of clips."""
    bins = reliability(predictions.probabilities, predictions.target)
    with canvas(WIDTH, HEIGHT, CHART) as (figure, axes):
        axes.plot([0, 100], [0, 100], "--", color=MUTED, linewidth=1, label="perfect calibration")
        sizes = 12 + 180 * bins.clips / bins.clips.max()
        axes.plot(100 * bins.confidence, 100 * bins.accuracy, color=BLUE, linewidth=1)
        axes.scatter(
            100 * bins.confidence, 100 * bins.accuracy, sizes, color=BLUE, label="decisions, by confidence"
        )
        texts = [
            f"{plural(clips, 'clip')} of confidence {percent_text(sure)}: {percent_text(right)} right"
            for clips, sure, right in zip(bins.clips, bins.confidence, bins.accuracy, strict=True)
        ]
        hover(axes, 100 * bins.confidence, 100 * bins.accuracy, texts)
        axes.set_xlabel(f"confidence in % ({run.part})")
        axes.set_ylabel("correct decisions in %")
        axes.set_xlim(0, 103)
        axes.set_ylim(0, 103)
        axes.legend(loc="lower right", markerscale=0.6)
        mean = percent_text(float(predictions.probabilities.max(1).mean()))
        error = percent_text(run.shown.pooled.ece)
        alt = f"Reliability diagram: mean confidence {mean}, expected calibration error {error}"
        return panel(figure, f"calibration-{run.tag.lower()}", alt)


def coverage_panel(run: Run, predictions: Predictions) -> Panel:
    """Draw the error rate that is left when the model abstains on its least confident clips."""
    curve = risk_coverage(predictions.probabilities, predictions.target)
    chosen = np.unique(np.linspace(0, len(curve.risk) - 1, MAX_POINTS).astype(int))
    pooled = run.shown.pooled
    with canvas(WIDTH, HEIGHT, CHART) as (figure, axes):
        axes.plot(100 * curve.coverage[chosen], 100 * curve.risk[chosen], color=VERMILLION)
        if pooled.answered and pooled.answered_accuracy is not None and not too_few(run.scores):
            place = 100 * pooled.answered, 100 * (1 - pooled.answered_accuracy)
            axes.plot(*place, "o", color=BLUE, label="threshold chosen on validation clips")
            axes.legend(loc="lower right")
        spots = chosen[:: max(1, len(chosen) // MAX_TOLD)]
        texts = [
            f"{percent_text(curve.coverage[spot])} decided: {percent_text(curve.risk[spot])} wrong"
            for spot in spots
        ]
        hover(axes, 100 * curve.coverage[spots], 100 * curve.risk[spots], texts)
        axes.set_xlabel(f"clips decided in %, most confident first ({run.part})")
        axes.set_ylabel("wrong decisions in %")
        axes.set_xlim(0, 102)
        axes.set_ylim(bottom=0)
        half = curve.risk[np.searchsorted(curve.coverage, 0.5)]
        alt = (
            f"Risk by coverage: {percent_text(half)} wrong among the most confident half, "
            f"{percent_text(1 - pooled.accuracy.value)} among all"
        )
        return panel(figure, f"coverage-{run.tag.lower()}", alt)
