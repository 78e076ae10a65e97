"""How emotions move features, whether they do so in every language, and which features say the same."""

from collections.abc import Iterator, Sequence

from ser_pipeline.explanations import EffectTable, Explanation
from ser_pipeline.report import cells
from ser_pipeline.report.document import Block, Cell, Column, Figure, Mark, Row, RowGroup, Table, text
from ser_pipeline.report.explain_figures import ALIKE, effects_panel, groups_panel, language_panel
from ser_pipeline.report.facts import language_title

MAX_ROWS = 24
"""Features of the heat map."""

PER_GROUP = 2
"""Features of one group in the heat map: the strongest of some groups are the same thing measured twice."""


def effect_blocks(tag: str, explanation: Explanation, marks: tuple[Mark, ...]) -> Iterator[Block]:
    """Show the features that emotions move most, as a heat map and with intervals."""
    whole = explanation.effects[0]
    rows = strongest_features(explanation, whole)
    if not rows:
        yield text("No speaker has enough clips of an emotion to measure how it moves the features.")
        return
    yield Figure(
        f"effects-{tag.lower()}",
        "How far each emotion moves features from the speaker's other clips, in the speaker's own deviations "
        f"(Hedges' g): the {PER_GROUP} strongest features of each group; orange is above, purple below, full "
        "colour is two deviations",
        (effects_panel(f"effects-{tag.lower()}", rows, explanation, whole),),
        marks,
    )
    yield _effects_table(tag, explanation, rows, marks)


def strongest_features(explanation: Explanation, table: EffectTable) -> list[int]:
    """Numbers of the features with the greatest effects, by group, in the order of the features."""
    sizes = {
        at: max((abs(value) for value in row if value is not None), default=0.0)
        for at, row in enumerate(table.values)
    }
    taken: dict[str, int] = {}
    chosen: list[int] = []
    for at in sorted(sizes, key=lambda at: (-sizes[at], at)):
        group = explanation.features[at].group
        if sizes[at] > 0 and taken.get(group, 0) < PER_GROUP and len(chosen) < MAX_ROWS:
            taken[group] = taken.get(group, 0) + 1
            chosen.append(at)
    return sorted(chosen)


def _effects_table(
    tag: str, explanation: Explanation, chosen: Sequence[int], marks: tuple[Mark, ...]
) -> Table:
    whole = explanation.effects[0]
    groups: dict[str, list[Row]] = {}
    for at in chosen:
        feature = explanation.features[at]
        ends = zip(whole.values[at], whole.low[at], whole.high[at], strict=True)
        row = Row((cells.words(feature.name), *(_effect(*each) for each in ends)))
        groups.setdefault(feature.group, []).append(row)
    return Table(
        key=f"effects-{tag.lower()}",
        caption="Hedges' g of each emotion against the speaker's other clips, with 95 % intervals",
        columns=(Column("Feature", numeric=False), *(Column(name) for name in explanation.emotions)),
        groups=tuple(RowGroup(tuple(rows), title=group) for group, rows in groups.items()),
        notes=(f"Intervals: {explanation.effect_interval}.",),
        marks=marks,
    )


def _effect(value: float | None, low: float | None, high: float | None) -> Cell:
    """A cell of an effect; one whose interval leaves zero out weighs more."""
    clear = low is not None and high is not None and not low <= 0 <= high
    return cells.effect(value, low, high, strong=clear)


def language_blocks(tag: str, explanation: Explanation, marks: tuple[Mark, ...]) -> Iterator[Block]:
    """Say whether an emotion moves the same features in every two languages."""
    if not explanation.languages:
        return
    yield Figure(
        f"languages-{tag.lower()}",
        "Do effects agree across languages? Correlation over all features of the effects in two languages, "
        "by emotion: 1 is the same pattern, 0 none in common; empty where a language lacks the emotion",
        (language_panel(f"effect-languages-{tag.lower()}", explanation),),
        marks,
    )
    counts = "; ".join(
        f"{language_title(each.language)}: {cells.plural(each.clips, 'clip')} of "
        f"{cells.plural(each.speakers, 'speaker')}"
        for each in explanation.effects
        if each.language is not None
    )
    rows = tuple(
        Row(
            (
                cells.words(f"{language_title(pair.first)} / {language_title(pair.second)}"),
                *(cells.decimal(value) for value in pair.similarity),
            )
        )
        for pair in explanation.languages
    )
    yield Table(
        key=f"languages-{tag.lower()}",
        caption="Correlation of effects between languages, over all features",
        columns=(Column("Languages", numeric=False), *(Column(name) for name in explanation.emotions)),
        groups=(RowGroup(rows),),
        notes=(f"{counts}. Each language has corpora of its own: microphones, texts and actors differ too.",),
        marks=marks,
    )


def correlation_blocks(tag: str, explanation: Explanation, marks: tuple[Mark, ...]) -> Iterator[Block]:
    """Show which groups and which features say the same."""
    yield Figure(
        f"correlations-{tag.lower()}",
        "Which groups say the same: mean absolute rank correlation within speakers between the features of "
        f"two groups (on the diagonal: between different features of one); brightest at {ALIKE}",
        (groups_panel(f"group-correlations-{tag.lower()}", explanation),),
        marks,
    )
    if not explanation.closest:
        return
    rows = tuple(
        Row((cells.words(pair.first), cells.words(pair.second), cells.decimal(pair.correlation, 3)))
        for pair in explanation.closest
    )
    yield Table(
        key=f"closest-{tag.lower()}",
        caption=f"The {len(rows)} pairs of features that say most nearly the same",
        columns=(
            Column("Feature", numeric=False),
            Column("and", numeric=False),
            Column("Rank correlation within speakers"),
        ),
        groups=(RowGroup(rows),),
        marks=marks,
    )
