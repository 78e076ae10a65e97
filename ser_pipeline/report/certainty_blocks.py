"""How sure a run is of its decisions: calibration, abstaining, and its most confident mistakes."""

from collections.abc import Callable
from typing import Final

from ser_pipeline.report.document import Block, Figure, Mark, text
from ser_pipeline.report.run_figures import calibration_panel, coverage_panel, surest_mistakes
from ser_pipeline.runs.predictions import Predictions
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.tested import answers, too_few, worse_calibrated
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells

Sounds = Callable[[str], bytes | None]
"""From the id of a recording to its beginning as an MP3; None where it cannot be had."""

LICENCES: Final = (
    "The excerpts are the recordings of their corpora and fall under their licences: share this page only "
    "where these allow it."
)


def certainty_blocks(run: Run, marks: tuple[Mark, ...], sounds: Sounds | None = None) -> list[Block]:
    """Show the calibration of the run, and its most confident mistakes.

    Args:
        run: what is shown.
        marks: of its tables and figures.
        sounds: gives the players of the mistakes; None for no players.
    """
    predictions = run.predictions
    if predictions is None or not predictions.clips:
        return [text(f"{run.tag} has no stored predictions, so its calibration cannot be drawn.")]
    figure = Figure(
        f"certainty-{run.tag.lower()}",
        f"Calibration of {run.tag}: accuracy by confidence; and in the second drawing the error rate "
        "when only the most confident decisions are made",
        (calibration_panel(run, predictions), coverage_panel(run, predictions)),
        marks,
    )
    return [*_abstaining(run), figure, *_mistakes(run, predictions, marks, sounds)]


def _abstaining(run: Run) -> list[Block]:
    """Say what temperature and threshold were learned on validation clips, and what they are worth."""
    certainty, told = run.scores.certainty, []
    if certainty is not None:
        told.append(
            f"The temperature {certainty.temperature:.2f} was fitted on validation recordings; the "
            "probabilities below are calibrated with it, and no decision depends on it."
        )
        if worse := worse_calibrated(run.scores):
            told.append(f"But {worse}.")
        if lacks := too_few(run.scores):
            told.append(f"{run.tag} has no threshold for abstaining: {lacks}.")
        elif certainty.abstain_below is not None:
            told.append(
                f"Below a confidence of {cells.percent_text(certainty.abstain_below)} {run.tag} should "
                "abstain: above it, the error rate on validation recordings is at most half as high."
            )
    for part in ("validation", "test"):
        scores = run.scored(part)
        if scores is not None and not too_few(run.scores) and (said := answers(scores.pooled)):
            told.append(f"{part.capitalize()}: {said}.")
    return [text(" ".join(told))] if told else []


def _mistakes(
    run: Run, predictions: Predictions, marks: tuple[Mark, ...], sounds: Sounds | None
) -> list[Block]:
    mistakes = surest_mistakes(predictions)
    if not mistakes:
        return []
    emotions = run.info.emotions
    rows = tuple(
        Row(
            (
                cells.words(mistake.clip),
                cells.words(emotions[mistake.target]),
                cells.words(emotions[mistake.predicted]),
                cells.percent(mistake.confidence, bar=True),
                *([_player(sounds(mistake.clip))] if sounds is not None else []),
            )
        )
        for mistake in mistakes
    )
    columns = (
        Column("Recording", numeric=False),
        Column("True", numeric=False),
        Column("Decided", numeric=False),
        Column("Confidence", unit="%"),
        *([Column("Beginning", numeric=False)] if sounds is not None else []),
    )
    caption = f"The most confident mistakes of {run.tag}: listen to these first"
    notes = () if sounds is None else (LICENCES,)
    return [Table(f"mistakes-{run.tag.lower()}", caption, columns, (RowGroup(rows),), notes, marks)]


def _player(sound: bytes | None) -> Entry:
    return Entry("not found") if sound is None else Entry("", sound=sound)
