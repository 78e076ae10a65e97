"""The chapter on results: runs side by side, their cost, and those that are not finished."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.document import Block, Code, Fold, Link, Mark, Section, text
from ser_pipeline.report.ranking import best_by_validation, comparable, ranking, run_key
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.runs.read import Run, Unfinished
from ser_pipeline.runs.types import Scores
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.table import EN_DASH

SCORES = (("UAR", "uar"), ("Accuracy", "accuracy"), ("Macro-F1", "macro_f1"))
SIDES = ("validation", "test")
_LEAD_COLUMNS = 3


@dataclass(frozen=True)
class Claim:
    """A row of the source report's table of results.

    Attributes:
        model: what was trained.
        task: number of classes, in words.
        accuracy: in percent, as printed there.
        macro_f1: in percent; None where none is given.
        lowest: of ``accuracy`` where a range is given.
    """

    model: str
    task: str
    accuracy: float
    macro_f1: float | None = None
    lowest: float | None = None


CLAIMS: Final = (
    Claim("CRNN", "4 classes", 81.29, 83.63),
    Claim("CRNN", "6 classes", 76.76, 82.80),
    Claim("1-D CNN on features", "8 classes", 72.0),
    Claim("dense network on 253 features, raw", "not stated", 67.0, lowest=55.0),
    Claim("dense network, relative features", "not stated", 73.0),
    Claim("dense network, speaker normalisation", "not stated", 91.0),
)
"""Validation results as claimed in the source report; no published code or log supports them."""

SOURCE: Final = "Speech Emotion Recognition Using Convolutional Recurrent Neural Networks"
"""Title of the source report, of 2025."""

CLAIM_PROTOCOL: Final = "claimed, clips of one speaker on both sides"
"""Under which the source report made its numbers."""


SOURCE_CORPORA: Final = frozenset(
    ("cremad", "emodb", "iemocap", "nemo", "ravdess", "ravdess-song", "savee", "tess")
)
"""Those that the source report is about."""


def beside_source(runs: Sequence[Run]) -> bool:
    """Whether runs may stand beside the source report: they have its corpora or its settings."""
    return any(run.info.recipe.preset == "paper" or SOURCE_CORPORA & {*run.info.corpora} for run in runs)


def run_marks(run: Run, manifest_digest: str) -> tuple[Mark, ...]:
    """Warnings that stand beside a run's numbers."""
    marks: list[Mark] = []
    if run.info.synthetic:
        marks.append("synthetic")
    if run.info.split.leaks_speakers:
        marks.append("speakers heard")
    if run.info.manifest_digest != manifest_digest:
        marks.append("other manifest")
    return tuple(marks)


def results_section(runs: Sequence[Run], unfinished: Sequence[Unfinished], data: Data) -> Section:
    """Write the head of the chapter on results; of runs that predict ratings it says where they stand."""
    blocks: list[Block] = []
    rating, runs = [run for run in runs if not run.info.emotions], [run for run in runs if run.info.emotions]
    if rating and not runs:
        which = (
            "The finished run predicts" if len(rating) == 1 else f"All {len(rating)} finished runs predict"
        )
        chapter = Link("Ratings and votes of listeners", "listeners")
        blocks.append(text(f"{which} ratings instead of emotions; the scores are under ", chapter, "."))
    elif not runs:
        blocks.append(
            text(
                "There are no finished runs yet. Train and score one with ",
                Code("ser train"),
                ", then run ",
                Code("ser report"),
                " again; this chapter will then hold its learning curves, scores and confusions.",
            )
        )
    else:
        synthetic: tuple[Mark, ...] = ("synthetic",) if any(run.info.synthetic for run in runs) else ()
        blocks.append(ranking(runs, synthetic, data.digest))
    if unfinished:
        blocks.append(_unfinished_table(unfinished))
    if runs:
        blocks += [Fold("All scores side by side, and what each run cost"), comparison_table(runs, data)]
        blocks.append(_cost_table(runs))
    return Section("results", "Results", tuple(blocks), 2)


def comparison_table(runs: Sequence[Run], data: Data) -> Table:
    """Lay all runs side by side, grouped by the clips they were scored on."""
    columns = (
        Column("Run", numeric=False),
        Column("Preset", numeric=False),
        Column("Parameters"),
        *(Column(f"{title}, {side}", unit="%") for title, _ in SCORES for side in SIDES),
    )
    groups = [_comparison_group(title, group, data) for title, group in comparable(runs)]
    chosen = any(row.entries[0].strong for group in groups for row in group.rows)
    bold = "The run of a group with the highest validation UAR is in bold. " if chosen else ""
    return Table(
        key="comparison",
        caption="Runs side by side on validation and test recordings, in percent, intervals below",
        columns=columns,
        groups=(*groups, _claims()) if beside_source(runs) else tuple(groups),
        notes=(
            "UAR, the mean recall over the classes, is the main score: guessing gives 100 % divided by the "
            "number of emotions with clips. Compare scores only within a group, where the recordings are the "
            f"same. {bold}The row 'corpus prior' always predicts the most frequent training class of the "
            "recording's corpus.",
            "The method of each interval is given below the run's own table of scores.",
        ),
    )


def _comparison_group(title: str, runs: Sequence[Run], data: Data) -> RowGroup:
    info = runs[0].info
    best = best_by_validation(runs) if len(runs) > 1 else None
    rows = [_run_row(run, run_marks(run, data.digest), strong=run is best) for run in runs]
    return RowGroup(
        rows=(*rows, _confound_row(runs[0])),
        title=title,
        note=group_note(runs[0], data.corpora),
        marks=("speakers heard",) if info.split.leaks_speakers else (),
    )


def group_note(run: Run, known: KnownCorpora) -> str:
    """Say how the split treats speakers, and which recordings were scored."""
    sizes = (
        f"{side} {cells.plural(part.pooled.clips, 'clip')} of {cells.people(part.pooled.speakers)}"
        for side in SIDES
        if (part := run.scored(side)) is not None
    )
    corpora = ", ".join(map(known.title, known.order(run.info.corpora)))
    return "; ".join(filter(None, (run.info.split.note.rstrip("."), *sizes, run.lacking, corpora)))


def _run_row(run: Run, marks: tuple[Mark, ...], *, strong: bool) -> Row:
    info = run.info
    scores = [
        cells.score(_estimate(run, side, attribute), strong=strong)
        for _, attribute in SCORES
        for side in SIDES
    ]
    first = cells.words(f"{run.tag} {info.model}", target=run_key(run), note=info.name, strong=strong)
    return Row(
        (first, cells.words(info.recipe.preset), cells.count(info.parameters or None), *scores), marks=marks
    )


def _estimate(run: Run, side: str, attribute: str) -> Estimate | None:
    part = run.scored(side)
    return None if part is None else getattr(part.pooled, attribute)


def _confound_row(run: Run) -> Row:
    def guess(side: str, attribute: str) -> Entry:
        part = run.scored(side)
        if part is None or attribute == "macro_f1":
            return cells.missing()
        pooled: Scores = part.pooled
        return cells.percent(pooled.confound_uar if attribute == "uar" else pooled.confound_accuracy)

    scores = [guess(side, attribute) for _, attribute in SCORES for side in SIDES]
    blank = [cells.missing()] * (_LEAD_COLUMNS - 1)
    return Row((cells.words("corpus prior", note="uses no audio"), *blank, *scores))


def _claims() -> RowGroup:
    return RowGroup(
        rows=tuple(_claim_row(claim) for claim in CLAIMS),
        title="Source report, as claimed: for reference, not measured here",
        note=f"{CLAIM_PROTOCOL}; no published code or log supports these numbers",
        marks=("claimed",),
    )


def _claim_row(claim: Claim) -> Row:
    accuracy = Entry(f"{claim.accuracy:g}", claim.accuracy / 100)
    if claim.lowest is not None:
        accuracy = Entry(f"{claim.lowest:g}{EN_DASH}{claim.accuracy:g}", claim.accuracy / 100)
    macro_f1 = (
        cells.missing() if claim.macro_f1 is None else Entry(f"{claim.macro_f1:.2f}", claim.macro_f1 / 100)
    )
    shown = {("accuracy", "validation"): accuracy, ("macro_f1", "validation"): macro_f1}
    scores = [shown.get((attribute, side), cells.missing()) for _, attribute in SCORES for side in SIDES]
    blank = [cells.missing()] * (_LEAD_COLUMNS - 1)
    note = "" if claim.task == "not stated" else claim.task
    return Row((cells.words(claim.model, note=note), *blank, *scores), marks=("claimed",))


def _cost_table(runs: Sequence[Run]) -> Table:
    columns = (
        Column("Run", numeric=False),
        Column("Parameters"),
        Column("Weights on disk, MB"),
        Column("Epochs"),
        Column("Epoch kept"),
        Column("Training, min"),
        Column("Training clips per second"),
        Column("Front end, ms"),
        Column("Network, ms"),
        Column("Ended because", numeric=False),
    )
    return Table(
        key="cost",
        caption="Cost of each run",
        columns=columns,
        groups=(RowGroup(tuple(map(_cost_row, runs))),),
        notes=(
            "Clips per second are training clips divided by the median training time of an epoch. The times "
            "of front end and network are those of one decision on a clip of three seconds, after a warm-up, "
            "one at a time, on the machine that scored the run.",
        ),
    )


def _cost_row(run: Run) -> Row:
    info = run.info
    epochs = [epoch for curve in run.curves for epoch in curve.epochs]
    times = [epoch["train_seconds"] for epoch in epochs if epoch.get("train_seconds")]
    rate = info.counts.get("train", 0) / median(times) if times and len(run.curves) == 1 else None
    return Row(
        (
            cells.words(f"{run.tag} {info.model}", target=run_key(run), note=info.name),
            cells.count(info.parameters or None),
            cells.decimal(None if run.model_bytes is None else run.model_bytes / 1e6, 1),
            cells.count(len(epochs) or None),
            cells.count(info.best_epoch),
            cells.decimal(None if info.seconds is None else info.seconds / 60, 1),
            cells.decimal(rate, 0),
            cells.decimal(None if run.latency is None else run.latency.front_end_ms, 1),
            cells.decimal(None if run.latency is None else run.latency.network_ms, 1),
            cells.words(info.stopped or ""),
        )
    )


def _unfinished_table(unfinished: Sequence[Unfinished]) -> Table:
    columns = tuple(
        Column(title, numeric=False)
        for title in ("Run", "Model", "Task", "Split", "What is still to be done")
    )
    rows = tuple(
        Row(
            (
                cells.words(run.name),
                cells.words(run.info.model),
                cells.words(run.info.recipe.task),
                cells.words(run.info.split.name),
                cells.words(_remedy(run)),
            ),
            marks=("synthetic",) if run.info.synthetic else (),
        )
        for run in unfinished
    )
    note = "A run has numbers here only after its training has ended and every part has been scored."
    return Table("unfinished", "Unfinished runs, without numbers", columns, (RowGroup(rows),), (note,))


def _remedy(run: Unfinished) -> str:
    if run.trained:
        return f"its scores: ser evaluate {shlex.quote(run.name)}"
    return f"the rest of its training: ser train --resume {shlex.quote(run.name)}"
