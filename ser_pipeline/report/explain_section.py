"""The part on a run's features: which of them matter for its decisions, and how emotions move them."""

from collections.abc import Sequence

from ser_pipeline.report.document import Block, Callout, Figure, Mark, Section, text
from ser_pipeline.report.explain_effects import (
    correlation_blocks,
    effect_blocks,
    importance_panel,
    language_blocks,
    profile_blocks,
)
from ser_pipeline.report.results_section import run_marks
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.explanation import Explanation, FeatureImportance, by_drop
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells

TOP = 20
"""Features that are shown."""


def explain_section(run: Run, explanation: Explanation, data: Data) -> Section:
    """Write the part on the features of a run."""
    marks, tag = run_marks(run, data.digest), run.tag.lower()
    blocks: list[Block] = [
        _opening(run, explanation),
        *(Callout("note", (cells.sentence(note),)) for note in explanation.notes),
        *_importance_blocks(run, explanation, marks),
        *effect_blocks(run.tag, explanation, marks),
        *language_blocks(run.tag, explanation, data.corpora, marks),
        *profile_blocks(run.tag, explanation, data.corpora, marks),
        *correlation_blocks(run.tag, explanation, marks),
    ]
    return Section(
        f"explain-{tag}", f"{run.tag}: importance and effects of features", tuple(blocks), 3, marks
    )


def _opening(run: Run, explanation: Explanation) -> Block:
    people = cells.plural(explanation.speakers, "speaker")
    clips = cells.plural(explanation.clips, f"{explanation.part} clip")
    whole = explanation.effects[0]
    return text(
        f"Importance: {run.tag} reaches a UAR of {cells.score_text(explanation.uar)} on {clips} of {people}. "
        f"A feature, or a whole group of features, is permuted among these clips "
        f"{cells.plural(explanation.repeats, 'time')}; the drop of UAR is its importance. Correlated "
        "features replace each other, so a low importance does not mean that a feature carries no "
        f"information. Effects show how far an emotion moves a feature, over "
        f"{cells.plural(whole.clips, 'clip')} of {cells.plural(whole.speakers, 'speaker')} of all parts; "
        "each speaker is compared only with themselves."
    )


def _importance_blocks(run: Run, explanation: Explanation, marks: tuple[Mark, ...]) -> list[Block]:
    groups = by_drop(explanation.group_importances)
    features = by_drop(explanation.importances)[:TOP]
    tag = run.tag.lower()
    figure = Figure(
        f"importance-{tag}",
        f"Importance in {run.tag} of groups of features, and in the second drawing of the {len(features)} "
        "most important features: drop of UAR in points with 95 % intervals; groups and features below zero "
        "did not help on these clips",
        (
            importance_panel(f"group-importance-{tag}", "a group of features is permuted", groups, bars=True),
            importance_panel(f"feature-importance-{tag}", "a feature is permuted", features, bars=False),
        ),
        marks,
    )
    return [
        _told(groups, features),
        figure,
        _groups_table(run, explanation, groups, marks),
        _features_table(run, explanation, features, marks),
    ]


def _told(groups: Sequence[FeatureImportance], features: Sequence[FeatureImportance]) -> Block:
    clear = [entry.name for entry in groups if entry.drop.low is not None and entry.drop.low > 0]
    sure = (
        f"Groups whose interval lies above zero: {', '.join(clear)}."
        if clear
        else "No group has an interval that lies above zero."
    )
    return text(
        f"The most important group is {groups[0].name}, with a drop of {_points(groups[0])} points; the most "
        f"important single feature is {features[0].name}, with {_points(features[0])}. {sure}"
    )


def _points(entry: FeatureImportance) -> str:
    inside = cells.interval(entry.drop)
    return f"{100 * entry.drop.value:.1f}" + (f" ({inside})" if inside else "")


def _groups_table(
    run: Run, explanation: Explanation, groups: Sequence[FeatureImportance], marks: tuple[Mark, ...]
) -> Table:
    sizes = {group: sum(each.group == group for each in explanation.features) for group in explanation.groups}
    rows = tuple(
        Row(
            (
                cells.words(entry.name),
                cells.count(sizes.get(entry.name)),
                cells.score(entry.drop),
                cells.percent(entry.spread),
            )
        )
        for entry in groups
    )
    columns = (
        Column("Group", numeric=False),
        Column("Features"),
        Column("Drop of UAR, points"),
        Column("Deviation over repeats"),
    )
    return Table(
        key=f"group-importance-{run.tag.lower()}",
        caption=f"Importance of groups of features in {run.tag}",
        columns=columns,
        groups=(RowGroup(rows),),
        notes=(f"Intervals: {explanation.importance_interval}.",),
        marks=marks,
    )


def _features_table(
    run: Run, explanation: Explanation, features: Sequence[FeatureImportance], marks: tuple[Mark, ...]
) -> Table:
    named = {feature.name: (at, feature) for at, feature in enumerate(explanation.features)}
    rows = []
    for entry in features:
        at, feature = named[entry.name]
        rows.append(
            Row(
                (
                    cells.words(feature.name),
                    cells.words(feature.group),
                    cells.words(feature.unit),
                    cells.score(entry.drop),
                    cells.words(_strongest(explanation, at)),
                )
            )
        )
    columns = (
        Column("Feature", numeric=False),
        Column("Group", numeric=False),
        Column("Unit", numeric=False),
        Column("Drop of UAR, points"),
        Column("Strongest effect, g", numeric=False),
    )
    return Table(
        key=f"feature-importance-{run.tag.lower()}",
        caption=f"The {len(rows)} most important features of {run.tag}",
        columns=columns,
        groups=(RowGroup(tuple(rows)),),
        notes=(f"All {len(explanation.features)} are listed in explanation.json of the run.",),
        marks=marks,
    )


def _strongest(explanation: Explanation, feature: int) -> str:
    """The emotion that moves a feature most, with its effect."""
    effects = [
        (emotion, value)
        for emotion, value in zip(explanation.emotions, explanation.effects[0].values[feature], strict=True)
        if value is not None
    ]
    if not effects:
        return ""
    emotion, value = max(effects, key=lambda pair: abs(pair[1]))
    return f"{emotion} {cells.signed(value)}"
