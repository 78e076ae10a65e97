"""How emotions move features, in each language and beside published profiles, with their drawings."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from ser_pipeline.arrays import Float64s
from ser_pipeline.manifest.cards import KnownCorpora
from ser_pipeline.report.document import Block, Figure, Mark, Panel, text
from ser_pipeline.report.drawing import (
    BLUE,
    INK,
    MUTED,
    SIGNED,
    Margins,
    canvas,
    heat_cells,
    panel,
    readable,
    turn_names,
)
from ser_pipeline.runs.explanation import EffectTable, Explanation, FeatureImportance, Interval, ProfileCell
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, cells
from ser_pipeline.tables.cells import signed

ROW = 0.24
"""Height of a row of a drawing, in inches."""

LETTER = 0.071
"""Room for a letter of a name, in inches; the widest names are of small letters."""

LONGEST_NAME = 30

STRONGEST = 2.0
"""Effect at which a cell has its full colour: two deviations."""

ALIKE = 0.6
"""Mean correlation at which a cell is brightest; groups of features that are more alike are rare."""


def importance_panel(name: str, when: str, entries: Sequence[FeatureImportance], *, bars: bool) -> Panel:
    """Draw drops of UAR in points with their intervals, the greatest first.

    Args:
        name: of the files.
        when: what happens, in words, for who cannot see it.
        entries: in the order they are drawn.
        bars: as bars from zero; else as points.
    """
    left = _room([entry.name for entry in entries])
    with canvas(2.7 + left, 0.7 + ROW * len(entries), Margins(left, 0.5)) as (figure, axes):
        places = range(len(entries))
        drops = [100 * entry.drop.value for entry in entries]
        if bars:
            axes.barh(places, drops, color=BLUE, height=0.62)
        else:
            axes.plot(drops, places, "o", color=BLUE, markersize=4)
        for place, entry in enumerate(entries):
            if entry.drop.low is not None and entry.drop.high is not None:
                ends = [100 * entry.drop.low, 100 * entry.drop.high]
                axes.plot(ends, [place, place], color=INK if bars else BLUE, linewidth=1.2)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        axes.set_yticks(places, [readable(entry.name, LONGEST_NAME) for entry in entries])
        axes.set_ylim(len(entries) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=MUTED, alpha=0.25, linewidth=0.6)
        axes.set_xlabel("drop of UAR in points")
        told = "; ".join(
            f"{entry.name} {drop:.1f}" for entry, drop in zip(entries, drops, strict=True)
        ).replace("-", "\u2212")
        return panel(figure, name, f"Drop of UAR in points when {when}: {told}")


def effects_panel(name: str, rows: Sequence[int], explanation: Explanation, table: EffectTable) -> Panel:
    """Draw Hedges' g of some features by emotion: orange above the other emotions, purple below."""
    values = [table.values[row] for row in rows]
    names = [explanation.features[row].name for row in rows]
    what = "Heat map of Hedges' g, one emotion against the others. "
    return _signed_panel(name, what, values, names, explanation.emotions, STRONGEST)


def language_panel(name: str, explanation: Explanation, known: KnownCorpora) -> Panel:
    """Draw how alike the effects of every two languages are, by emotion."""
    values = [pair.similarity for pair in explanation.languages]
    names = [
        f"{known.language(pair.first)} / {known.language(pair.second)}" for pair in explanation.languages
    ]
    what = "Heat map of correlations of effects between languages. "
    return _signed_panel(name, what, values, names, explanation.emotions, 1.0)


def _signed_panel(
    name: str,
    what: str,
    values: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    greatest: float,
) -> Panel:
    """Draw numbers around zero with their signs; a cell without a number stays empty."""
    numbers = np.array([[np.nan if value is None else value for value in row] for row in values], np.float64)
    texts = [[signed(value) if value is not None else "" for value in row] for row in values]
    shares = 0.5 + 0.5 * np.clip(np.nan_to_num(numbers) / greatest, -1, 1)
    left, below = _room(rows), _below(columns)
    width, height = left + 0.1 + 0.66 * len(columns), below + 0.1 + ROW * len(rows)
    with canvas(width, height, Margins(left, below)) as (figure, axes):
        heat_cells(axes, shares, texts, rows, columns, SIGNED)
        _label(axes, rows)
        told = "; ".join(
            f"{row}: "
            + ", ".join(f"{column} {text}" for column, text in zip(columns, line, strict=True) if text)
            for row, line in zip(rows, texts, strict=True)
        )
        return panel(figure, name, what + told, wide=True)


def groups_panel(name: str, explanation: Explanation) -> Panel:
    """Draw the mean absolute correlation of features within and between groups."""
    groups = explanation.groups
    values: Float64s = np.array(explanation.group_correlations, np.float64).reshape(len(groups), len(groups))
    texts = [[f"{value:.2f}" for value in row] for row in values]
    left, below = _room(groups), _below(groups)
    width, height = left + 0.1 + 0.46 * len(groups), below + 0.1 + 0.28 * len(groups)
    with canvas(width, height, Margins(left, below)) as (figure, axes):
        heat_cells(axes, np.minimum(values / ALIKE, 1), texts, groups, groups)
        _label(axes, groups)
        told = "; ".join(
            f"{group}: " + ", ".join(f"{other} {text}" for other, text in zip(groups, row, strict=True))
            for group, row in zip(groups, texts, strict=True)
        )
        what = "Heat map: mean absolute rank correlation between the features of two groups. "
        return panel(figure, name, what + told, wide=True)


def _room(names: Sequence[str]) -> float:
    """Width of the longest name, in inches."""
    return 0.25 + LETTER * max((len(readable(name, LONGEST_NAME)) for name in names), default=0)


def _below(names: Sequence[str]) -> float:
    """Height of turned names, in inches."""
    return 0.3 + 0.6 * LETTER * max((len(readable(name, 24)) for name in names), default=0)


def _label(axes: Axes, rows: Sequence[str]) -> None:
    """Name rows in full, and turn the names of columns."""
    axes.set_yticks(np.arange(len(rows)) + 0.5, [readable(row, LONGEST_NAME) for row in rows])
    turn_names(axes)


MAX_ROWS = 24
"""Features of the heat map."""

PER_GROUP = 2
"""Features of one group in the heat map: the strongest of some groups are the same thing measured twice."""


def effect_blocks(tag: str, explanation: Explanation, marks: tuple[Mark, ...]) -> Iterator[Block]:
    """Show the features that emotions move most, as a heat map and with intervals."""
    whole = explanation.effects[0]
    rows = strongest_features(explanation, whole)
    if not rows:
        yield text("No speaker has enough clips of an emotion to measure its effect on the features.")
        return
    yield Figure(
        f"effects-{tag.lower()}",
        "Effect of each emotion on features, compared with the speaker's other clips, in the speaker's own "
        f"standard deviations (Hedges' g): the {PER_GROUP} features of each group with the largest effects; "
        "orange is above, purple below, and full colour is two standard deviations",
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


def _effect(value: float | None, low: float | None, high: float | None) -> Entry:
    """A cell of an effect; one whose interval leaves zero out weighs more."""
    clear = low is not None and high is not None and not low <= 0 <= high
    return cells.effect(value, low, high, strong=clear)


def language_blocks(
    tag: str, explanation: Explanation, known: KnownCorpora, marks: tuple[Mark, ...]
) -> Iterator[Block]:
    """Say whether an emotion moves the same features in every two languages."""
    if not explanation.languages:
        return
    yield Figure(
        f"languages-{tag.lower()}",
        "Agreement of effects across languages: correlation, over all features, of the effects in two "
        "languages, by emotion; 1 is the same pattern and 0 no common one; a cell is empty where a language "
        "lacks the emotion",
        (language_panel(f"effect-languages-{tag.lower()}", explanation, known),),
        marks,
    )
    counts = "; ".join(
        f"{known.language(each.language)}: {cells.plural(each.clips, 'clip')} of "
        f"{cells.plural(each.speakers, 'speaker')}"
        for each in explanation.effects
        if each.language is not None
    )
    rows = tuple(
        Row(
            (
                cells.words(f"{known.language(pair.first)} / {known.language(pair.second)}"),
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
        notes=(
            f"{counts}. Each language has its own corpora, so microphones, texts and actors differ as well.",
        ),
        marks=marks,
    )


def correlation_blocks(tag: str, explanation: Explanation, marks: tuple[Mark, ...]) -> Iterator[Block]:
    """Show which groups and which features are highly correlated."""
    yield Figure(
        f"correlations-{tag.lower()}",
        "Similarity of groups: mean absolute rank correlation within speakers between the features of two "
        f"groups (on the diagonal: between different features of one group); brightest at {ALIKE}",
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
        caption=f"The {len(rows)} most highly correlated pairs of features",
        columns=(
            Column("Feature", numeric=False),
            Column("and", numeric=False),
            Column("Rank correlation within speakers"),
        ),
        groups=(RowGroup(rows),),
        marks=marks,
    )


ARROWS = {"up": "\u2191 up", "down": "\u2193 down", "mixed": "mixed", "not stated": "not stated"}

_CITING = "Published directions are summaries of reviews; check a cell in its source before citing it."


def profile_blocks(
    tag: str, explanation: Explanation, known: KnownCorpora, marks: tuple[Mark, ...]
) -> Iterator[Block]:
    """Compare the effects with published directions: a sentence and a table, by emotion."""
    if not explanation.profiles:
        yield text(
            "There is no published profile to compare with: none of the features represents a published "
            "acoustic property, or none of the emotions has a profile."
        )
        return
    yield _summary(explanation)
    languages = [each.language for each in explanation.profiles[0].by_language]
    columns = (
        Column("Property", numeric=False),
        Column("Published", numeric=False),
        Column("Measured, g"),
        Column("Verdict", numeric=False),
        *(Column(known.language(tag)) for tag in languages),
        Column("Stated by", numeric=False),
    )
    stated = [cell for cell in explanation.profiles if cell.direction != "not stated"]
    groups = tuple(
        RowGroup(tuple(_row(cell) for cell in stated if cell.emotion == emotion), title=emotion)
        for emotion in dict.fromkeys(cell.emotion for cell in stated)
    )
    yield Table(
        key=f"profiles-{tag.lower()}",
        caption="Published vocal profiles and what these recordings show (Hedges' g, 95 % intervals)",
        columns=columns,
        groups=groups,
        notes=(_features(explanation), f"Intervals: {explanation.effect_interval}.", _CITING),
        marks=marks,
    )


def _summary(explanation: Explanation) -> Block:
    found = explanation.summary
    clear = found.agrees + found.opposes
    if not clear:
        return text(
            f"Vocal profiles: none of {found.unclear} effects with a published direction is clear enough to "
            "be compared."
        )
    chance = f"{100 * found.chance:.1f} %" if found.chance >= 0.001 else "less than 0.1 %"
    opposing = "; ".join(
        f"{cell.property} in {cell.emotion}" for cell in explanation.profiles if cell.verdict == "opposes"
    )
    told = f" ({opposing})" if opposing else ""
    return text(
        f"Vocal profiles: of {cells.plural(clear, 'clear effect')} with a published direction {found.agrees} "
        f"have that direction and {found.opposes} the opposite one{told}; {found.unclear} are not clear. By "
        f"chance alone, as many or more would agree with a probability of {chance}; the true probability is "
        "higher, since properties are correlated."
    )


def _features(explanation: Explanation) -> str:
    told = {cell.property: cell.features for cell in explanation.profiles}
    listed = "; ".join(f"{name}: {', '.join(features)}" for name, features in told.items())
    return f"Features that stand for a property, a minus before those that fall when it rises: {listed}."


def _row(cell: ProfileCell) -> Row:
    return Row(
        (
            cells.words(cell.property),
            cells.words(ARROWS[cell.direction]),
            _published_effect(cell.effect),
            cells.words(cell.verdict, strong=cell.verdict == "opposes"),
            *(_published_effect(each.effect) for each in cell.by_language),
            cells.words("; ".join(cell.sources)),
        )
    )


def _published_effect(effect: Interval | None) -> Entry:
    return cells.effect(effect.value, effect.low, effect.high) if effect else cells.missing()
