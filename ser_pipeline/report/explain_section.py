"""The parts on what a run's decisions rely on.

For a run on features these are the features, with how emotions move them; for others each input, layer,
pooling or band of frequencies.
"""

from collections.abc import Sequence

from ser_pipeline.report.document import Block, Callout, Figure, Mark, Panel, Section, text
from ser_pipeline.report.explain_effects import (
    correlation_blocks,
    effect_blocks,
    importance_panel,
    language_blocks,
    profile_blocks,
)
from ser_pipeline.report.results_section import run_marks
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.explanation import (
    Explanation,
    FeatureImportance,
    InputImportance,
    Shares,
    ShareTable,
    by_drop,
)
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells

TOP = 20
"""Features that are shown."""

MANY = {
    "input": "Inputs",
    "layer": "Layers",
    "pooling": "Poolings",
    "layer and pooling": "Poolings of each layer",
    "band of frequencies": "Bands of frequencies",
    "group of features": "Groups of features",
    "part of the clip": "Parts of the clip",
    "training of a layer": "Training of each layer",
}
"""Kind of a share table -> heading of its rows."""


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


def shares_section(run: Run, shares: Shares, data: Data) -> Section:
    """Write the part on how much a run relies on each part of its input."""
    marks, tag = run_marks(run, data.digest), run.tag.lower()
    columns = (
        Column("Permuted", numeric=False),
        Column("Numbers"),
        Column("Drop of UAR, points"),
        Column("Share, %"),
        Column("Drop when left out, points"),
        *[Column("Learned weight, %")] * shares.weighted,
    )
    table = Table(
        key=f"shares-{tag}",
        caption=f"Importance of each part of the input of {run.tag}",
        columns=columns,
        groups=tuple(
            RowGroup(tuple(_shares_row(entry, len(columns)) for entry in each.entries), MANY[each.kind])
            for each in shares.tables
        ),
        notes=(f"Intervals: {shares.interval}.",),
        marks=marks,
    )
    figure = Figure(
        f"shares-{tag}",
        f"Drop of UAR of {run.tag}, in points with 95 % intervals, when a part of its input is permuted",
        tuple(_shares_panel(tag, each) for each in shares.tables),
        marks,
    )
    blocks: list[Block] = [
        _shares_opening(run, shares),
        *(Callout("note", (cells.sentence(note),)) for note in shares.notes),
        figure,
        table,
    ]
    return Section(f"shares-{tag}", f"{run.tag}: importance of its inputs", tuple(blocks), 3, marks)


def _shares_panel(tag: str, table: ShareTable) -> Panel:
    name = f"shares-{tag}-{table.kind.replace(' ', '-')}"
    undone = "the training of a layer is undone"
    permuted = f"one of the {MANY[table.kind].lower()} is permuted"
    return importance_panel(
        name, undone if table.kind == "training of a layer" else permuted, table.entries, bars=True
    )


def _shares_opening(run: Run, shares: Shares) -> Block:
    people = cells.plural(shares.speakers, "speaker")
    clips = cells.plural(shares.clips, f"{shares.part} clip")
    return text(
        f"{run.tag} reaches a UAR of {cells.score_text(shares.uar)} on {clips} of {people}. All values of "
        f"{_pieces(shares)} are permuted together among these clips, "
        f"{cells.plural(shares.repeats, 'time')}; the share is the drop of UAR as a percentage of the drops "
        "of all parts of the same kind. Neighbours carry similar information and replace each other, so a "
        "small drop does not mean that a part carries none. When a part is left out, its values are held at "
        "their mean over the training clips."
        + (" The learned weights are those by which the probe multiplies the layers." * shares.weighted)
    )


def _pieces(shares: Shares) -> str:
    """What is permuted, as in ``a layer or a part of the clip``."""
    kinds = [table.kind for table in shares.tables if table.kind != "training of a layer"]
    return " or ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds)


def _shares_row(entry: InputImportance, columns: int) -> Row:
    told = (
        cells.words(entry.name),
        cells.count(entry.columns),
        cells.score(entry.drop),
        cells.percent(entry.share, bar=True),
        cells.percent(entry.without),
        cells.percent(entry.weight),
    )
    return Row(told[:columns])
