"""Which run is best, and on whom: the answer at the head of the page, and the chart of all runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from matplotlib.axes import Axes

from ser_pipeline.records import PARTS
from ser_pipeline.report.document import Answer, Link, Mark, Panel, Rank, Ranking, Words
from ser_pipeline.report.drawing import BLUE, MUTED, PAPER, VERMILLION, canvas, panel, readable
from ser_pipeline.runs.read import Run
from ser_pipeline.runs.tested import share_tested, untested
from ser_pipeline.runs.types import RunInfo
from ser_pipeline.tables.cells import interval, listed, percent_text, persons, plural, score_text


@dataclass(frozen=True)
class Standing:
    """Runs for one task scored on the same clips.

    Attributes:
        name: what they were scored on, as :func:`comparable` calls it.
        runs: best test score first.
        chosen: the best one by validation, as :func:`best_by_validation` finds it; else by its test score.
        by_validation: how it was chosen.
    """

    name: str
    runs: tuple[Run, ...]
    chosen: Run
    by_validation: bool

    @property
    def part(self) -> str:
        """What the runs were scored on: test clips where there are any."""
        return self.runs[0].part

    @property
    def new(self) -> bool:
        """The people who are heard were never heard in training."""
        return not self.runs[0].knows

    @property
    def untested(self) -> tuple[str, ...]:
        """Emotions of the task that were not tested."""
        return untested(self.runs[0].shown.pooled)

    @property
    def people(self) -> int:
        """How many people were tested."""
        return self.runs[0].shown.pooled.speakers

    @property
    def title(self) -> str:
        """Task, split and people, in words."""
        people = persons(self.people, " new to the model" if self.new else " whom the model knows")
        without = f", without {listed(self.untested)}" if self.untested else ""
        clips = plural(
            self.runs[0].shown.pooled.clips, "clip" if self.part == "test" else f"{self.part} clip"
        )
        untried = "" if self.part == "test" else ", not tested"
        return f"{self.name}{without}: {clips} of {people}{untried}"


def comparable(runs: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    """Group runs that were scored on the same clips for the same task, honest splits first.

    Returns:
        Task, merges, languages and condition that were asked for, split, which draw of it if there are
        several, and fold of each group, and its runs.
    """
    draws: dict[str, list[str]] = {}
    groups: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        info = run.info
        clips = tuple(info.class_counts.get(part) for part in PARTS if part != "train" or part == run.part)
        split = (info.split.name, info.split.digest, info.split.fold)
        chosen = info.corpora, info.languages, info.recipe.where
        key = (info.recipe.task, tuple(sorted(info.merges.items())), split, chosen, clips)
        groups.setdefault(key, []).append(run)
        if info.split.digest not in draws.setdefault(info.split.name, []):
            draws[info.split.name].append(info.split.digest)
    ordered = sorted(
        groups.values(), key=lambda group: (group[0].info.split.leaks_speakers, group[0].info.recipe.task)
    )
    return [(_scored_on(group[0].info, draws), group) for group in ordered]


def _scored_on(info: RunInfo, draws: Mapping[str, Sequence[str]]) -> str:
    merges = ", ".join(f"{source} = {target}" for source, target in info.merges.items())
    which = draws[info.split.name]
    draw = f", draw {which.index(info.split.digest) + 1}" if len(which) > 1 else ""
    fold = f", fold {info.split.fold}" if info.split.fold else ""
    task = f"Task {info.recipe.task}{f' ({merges})' if merges else ''}"
    languages = f", languages {', '.join(info.recipe.languages)}" if info.recipe.languages else ""
    where = f", where {info.recipe.where}" if info.recipe.where else ""
    return f"{task}{languages}{where}, split {info.split.name}{fold}{draw}"


def standings(runs: Sequence[Run]) -> list[Standing]:
    """Lists of runs: many of a task first, then tested ones, new people, all emotions, and many people."""
    tasks = [run.info.recipe.task for run in runs]

    def place(one: Standing) -> tuple[object, ...]:
        task, found = one.runs[0].info.recipe.task, one.runs[0].shown.pooled
        people = (-found.speakers, -found.clips, -len(one.runs))
        return -tasks.count(task), task, -PARTS.index(one.part), not one.new, one.untested, *people

    return sorted((_standing(name, group) for name, group in comparable(runs)), key=place)


def _standing(name: str, runs: Sequence[Run]) -> Standing:
    ranked = sorted(runs, key=lambda run: -run.shown.pooled.uar.value)
    best = best_by_validation(runs)
    return Standing(name, tuple(ranked), best or ranked[0], best is not None)


def best_by_validation(runs: Sequence[Run]) -> Run | None:
    """Pick the best run by its validation UAR, the first of equals; None if a run has no validation clips."""
    scores = [(found.pooled.uar.value, run) for run in runs if (found := run.scored("validation"))]
    return max(scores, key=itemgetter(0))[1] if len(scores) == len(runs) else None


_UNTESTED: Final = {
    "train": "It learned from them, so that says nothing about other recordings.",
    "validation": "They chose its epoch or settings, so it is likely to be too high for other people.",
}
"""Part that is not the test -> what a score on it is worth."""


def answer(runs: Sequence[Run], manifest_digest: str) -> Answer | None:
    """The best model on new people, in a sentence; None where there is no run.

    Args:
        runs: that tell emotions.
        manifest_digest: of the recordings that the page describes; runs that learned from others answer only
            if there is no run of these.
    """
    here = [run for run in runs if run.info.manifest_digest == manifest_digest]
    found = standings(here or runs)
    if not found:
        return None
    tested = [one for one in found if one.part == "test"]
    best = max(
        tested or found, key=lambda one: (one.new, not one.chosen.at_chance, not one.untested, one.people)
    )
    run = best.chosen
    better = any(not each.at_chance for one in tested if one.new for each in one.runs)
    no_run = "No run" if len(here) in (0, len(runs)) else "No run of this manifest"
    words = _sentences(best, no_run, better=better)
    if not here:
        words = (*words, " It was made from another manifest than the one described here.")
    title = f"UAR on {persons(best.people, ' new to the model' if best.new else ' the model knows')}"
    if not tested:
        title = f"UAR on {best.part} clips, not tested"
    trusted = bool(tested) and best.new and not run.at_chance
    return Answer(run.shown.pooled.uar, run.chance, title, words, trusted=trusted)


def _sentences(best: Standing, no_run: str, *, better: bool) -> tuple[Words, ...]:
    """Say what the chosen run does.

    Args:
        best: list of the run.
        no_run: how it is said of all runs that they don't do something.
        better: another run was tested on new people and is better than guessing, but was not chosen.
    """
    run = best.chosen
    uar = run.shown.pooled.uar
    inside = (
        f", 95 % interval {interval(uar)}" if uar.low is not None else " (too few speakers for an interval)"
    )
    figures = f"a UAR of {percent_text(uar.value)}{inside}; guessing gives {percent_text(run.chance)}"
    name = _link(run)
    on = f"tested on {plural(run.shown.pooled.clips, 'clip')} of {persons(best.people)}"
    emotions = share_tested(run.shown.pooled)
    lacks = f" There are {run.lacking}." if run.lacking else ""
    if best.part != "test":
        return (
            f"{no_run} was tested, as their splits have no test clips. On its {best.part} clips, ",
            name, f" tells {emotions} emotions apart with {figures}. {_UNTESTED[best.part]}{lacks}",
        )  # fmt: skip
    if not best.new:
        whom = "people whose voices it learned from" if best.people else "people it may have learned from"
        return (
            f"{no_run} was tested on people who are new to the model. On {whom}, ",
            name, f" tells {emotions} emotions apart with {figures}. That does not hold for new people.",
            lacks,
        )  # fmt: skip
    if run.at_chance and better:
        return (
            name, " does not recognise the emotions of new people better than guessing does: it has ",
            f"{figures}; {on}.{lacks}{_choice(best)}",
        )  # fmt: skip
    if run.at_chance:
        return (
            f"{no_run} recognises the emotions of new people better than guessing does: ",
            name, f" has {figures}; {on}.{lacks}{_choice(best)}",
        )  # fmt: skip
    return (
        "On people it has never heard, ",
        name, f" tells {emotions} emotions apart with {figures}; {on}.{lacks}{_choice(best)}",
    )  # fmt: skip


def _link(run: Run) -> Link:
    return Link(f"{run.tag} {run.info.model}", run_key(run))


def _choice(found: Standing) -> str:
    """How the run was chosen among its equals; "" where there was no choice."""
    if len(found.runs) == 1:
        return ""
    if found.by_validation:
        return f" Of {len(found.runs)} runs scored on the same clips, it is the best on validation clips."
    return f" Its test score is the highest of {len(found.runs)}, so it is likely to be a little too high."


def run_key(run: Run) -> str:
    """Name of a run's own part of the page."""
    return f"run-{run.tag.lower()}"


def ranking(runs: Sequence[Run], marks: tuple[Mark, ...], manifest_digest: str) -> Ranking:
    """All runs by UAR: lists with bars on the page, and a drawing in a file."""
    found = standings(runs)
    caption = (
        "UAR of every run on its test recordings, or on others where a list says so, in percent, with "
        "95 % intervals: the mean over the emotions of the share of their clips that is recognised. Runs "
        "are in one list if they were scored on the same clips"
    )
    lists = tuple((each.title, tuple(_rank(run, manifest_digest) for run in each.runs)) for each in found)
    return Ranking("ranking", caption, (comparison_panel(found),), marks, lists=lists)


def _rank(run: Run, manifest_digest: str) -> Rank:
    info = run.info
    other = "" if info.manifest_digest == manifest_digest else ", other manifest"
    part = "" if run.part == "test" else f", {run.part} clips"
    return Rank(
        name=f"{run.tag} {info.model}",
        target=run_key(run),
        note=f"{info.name}, split {info.split.name}{part}{other}",
        score=run.shown.pooled.uar,
        chance=run.chance,
        known=run.knows,
        at_chance=run.at_chance,
    )


def comparison_panel(found: Sequence[Standing]) -> Panel:
    """Draw UAR of every run with its interval; squares for people whom the model knows."""
    runs = [run for each in found for run in each.runs]
    with canvas(7.2, 1.0 + 0.3 * len(runs)) as (figure, axes):
        told = []
        for row, run in enumerate(runs):
            uar, known = run.shown.pooled.uar, run.knows
            colour, mark = (VERMILLION, "s") if known else (BLUE, "o")
            if uar.low is not None and uar.high is not None:
                axes.plot([100 * uar.low, 100 * uar.high], [row, row], color=colour, linewidth=1.4)
            fill = PAPER if known else colour
            axes.plot(100 * uar.value, row, mark, color=colour, markerfacecolor=fill, markersize=6)
            axes.plot([100 * run.chance] * 2, [row - 0.35, row + 0.35], color=MUTED, linewidth=1)
            told.append(f"{run.tag} {run.part} {score_text(uar)}" + (" (at chance)" if run.at_chance else ""))
        axes.set_yticks(range(len(runs)), [_row_title(run) for run in runs])
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 101)
        axes.set_ylim(len(runs) - 0.4, -0.6)
        axes.set_xlabel("UAR in %")
        axes.grid(axis="x", color=MUTED, alpha=0.25, linewidth=0.6)
        _legend(axes)
        return panel(figure, "comparison", "Dot plot of UAR with intervals: " + "; ".join(told), wide=True)


def _row_title(run: Run) -> str:
    people = persons(run.shown.pooled.speakers)
    return readable(f"{run.tag} {run.info.model}, {run.info.recipe.task}, {people}", 44)


def _legend(axes: Axes) -> None:
    handles = [
        axes.plot([], [], "o", color=BLUE, label="new people")[0],
        axes.plot([], [], "s", color=VERMILLION, markerfacecolor=PAPER, label="people it knows")[0],
        axes.plot([], [], "|", color=MUTED, markersize=9, label="chance")[0],
    ]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, handletextpad=0.3,
        columnspacing=1.2,
    )  # fmt: skip
