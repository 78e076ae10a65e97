"""The chapter on listeners: how closely ratings and probabilities of runs follow them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ser_pipeline.report.document import Block, Section, text
from ser_pipeline.report.results_section import run_marks
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.ratings import Estimate, RatingScores
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells

LEAST_CLIPS: Final = 10
"""Votes on fewer clips are not worth a table."""


def ratings_sections(runs: Sequence[Run], data: Data) -> Iterator[Section]:
    """Write the chapter; nothing where no run predicts ratings or was scored against listeners.

    Args:
        runs: on the page; those whose targets are ratings have no chapter of their own beside this one.
        data: that is described.
    """
    blocks: list[Block] = [table for table in (_ratings(runs, data), _votes(runs, data)) if table is not None]
    if blocks or any(run.info.recipe.target for run in runs):
        yield Section("listeners", "Ratings and votes of listeners", (_targets(runs), *blocks), 2)


def _targets(runs: Sequence[Run]) -> Block:
    """Which runs predict ratings alone, and from what."""
    alone = [run for run in runs if run.info.recipe.target]
    if not alone:
        return text(
            "Ratings and probabilities of runs that predict emotions are compared here with what listeners "
            "said."
        )
    clips = {run.tag: cells.plural(run.info.counts.get("train", 0), "training clip") for run in alone}
    told = "; ".join(
        f"{run.tag} ({run.info.name}) with {clips[run.tag]}, {run.info.stopped}" for run in alone
    )
    what = "One run predicts ratings instead of emotions, and uses"
    if len(alone) > 1:
        what = f"{len(alone)} runs predict ratings instead of emotions, and use"
    beside = [run for run in runs if run not in alone and _scores(run)]
    predict = "predicts" if len(beside) == 1 else "predict"
    others = (
        f" {cells.listed([run.tag for run in beside])} {predict} ratings beside an emotion." if beside else ""
    )
    return text(f"{what} all recordings that listeners rated: {told}.{others}")


def _ratings(runs: Sequence[Run], data: Data) -> Table | None:
    groups = [
        RowGroup(tuple(_row(each, data) for each in found), _title(run), marks=run_marks(run, data.digest))
        for run in runs
        if (found := _scores(run))
    ]
    if not groups:
        return None
    columns = (
        Column("Dimension", numeric=False),
        Column("Recordings", numeric=False),
        Column("Clips"),
        Column("Speakers"),
        *map(Column, ("CCC", "Pearson's r", "RMSE", "MAE")),
    )
    return Table(
        key="ratings",
        caption="Ratings of runs beside those of listeners, from \N{MINUS SIGN}1 to 1; intervals below",
        columns=columns,
        groups=tuple(groups),
        notes=(
            "CCC is Lin's concordance correlation: 1 if both agree, 0 if a run always says the same. "
            "Pearson's r forgives a wrong mean and spread; RMSE and MAE are the root mean square and the "
            "mean absolute error. Intervals are of 95 %, from drawing speakers. Runs are comparable on the "
            "same clips only: 'ser compare' takes those.",
        ),
    )


def _scores(run: Run) -> Sequence[RatingScores]:
    """Scores of the part that is looked at closely, by corpus where there are several."""
    found = run.scores.rated[run.part].ratings if run.scores.rated else run.shown.ratings
    corpora = {each.name for each in found if each.by == "corpus"}
    return [each for each in found if each.by is None or (each.by == "corpus" and len(corpora) > 1)]


def _title(run: Run) -> str:
    beside = "ratings alone" if run.info.recipe.target else f"beside task {run.info.recipe.task}"
    return f"{run.tag} {run.info.recipe.words}, {beside}, {run.part} part of split {run.info.split.name}"


def _row(each: RatingScores, data: Data) -> Row:
    where = data.corpora.title(each.name) if each.by else "all"
    scores = (_entry(found) for found in (each.ccc, each.pearson, each.rmse, each.mae))
    named = (cells.words(each.dimension), cells.words(where))
    return Row((*named, cells.count(each.clips), cells.count(each.speakers), *scores))


def _entry(found: Estimate | None) -> Entry:
    """A score with two decimals, its interval as second line."""
    if found is None:
        return cells.missing()
    ends = (cells.decimal(end).text for end in (found.low, found.high) if end is not None)
    return replace(cells.decimal(found.value), note=" to ".join(ends))


def _votes(runs: Sequence[Run], data: Data) -> Table | None:
    rows = tuple(
        Row(
            (
                cells.words(f"{run.tag} {run.info.recipe.words}, task {run.info.recipe.task}"),
                cells.count(votes.clips),
                cells.count(votes.speakers),
                _entry(votes.cross_entropy),
                _entry(votes.divergence),
            ),
            marks=run_marks(run, data.digest),
        )
        for run in runs
        if run.scores.parts and (votes := run.shown.votes) is not None and votes.clips >= LEAST_CLIPS
    )
    if not rows:
        return None
    columns = ("Clips", "Speakers", "Cross-entropy", "Divergence from the votes")
    return Table(
        key="votes",
        caption="Probabilities of runs beside the votes of listeners, in nats; intervals below",
        columns=(Column("Run", numeric=False), *map(Column, columns)),
        groups=(RowGroup(rows),),
        notes=(
            "Lower is better. The divergence is the cross-entropy less that of the votes themselves: 0 if "
            "the probabilities are the shares of the votes. Clips without a vote for an emotion of the task "
            "are left out.",
        ),
    )
