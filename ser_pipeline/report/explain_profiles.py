"""Measured effects beside published vocal profiles."""

from collections.abc import Iterator

from ser_pipeline.explanations import Explanation, Interval, ProfileCell
from ser_pipeline.report import cells
from ser_pipeline.report.document import Block, Cell, Column, Mark, Row, RowGroup, Table, text
from ser_pipeline.report.facts import language_title

ARROWS = {"up": "\u2191 up", "down": "\u2193 down", "mixed": "mixed", "not stated": "not stated"}

_CITING = "Published directions are summaries of reviews: look a cell up in its source before citing it."


def profile_blocks(tag: str, explanation: Explanation, marks: tuple[Mark, ...]) -> Iterator[Block]:
    """Compare the effects with published directions: a sentence and a table, by emotion."""
    if not explanation.profiles:
        yield text(
            "None of the features is one that stands for a published acoustic property, or no emotion has a "
            "published profile: there is nothing to compare with."
        )
        return
    yield _summary(explanation)
    languages = [each.language for each in explanation.profiles[0].by_language]
    columns = (
        Column("Property", numeric=False),
        Column("Published", numeric=False),
        Column("Measured, g"),
        Column("Verdict", numeric=False),
        *(Column(language_title(tag)) for tag in languages),
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
        f"go that way and {found.opposes} the other{told}; {found.unclear} are not clear. A coin would agree "
        f"as often or more with a probability of {chance}; properties move together, so that the true one is "
        "higher."
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
            _effect(cell.effect),
            cells.words(cell.verdict, strong=cell.verdict == "opposes"),
            *(_effect(each.effect) for each in cell.by_language),
            cells.words("; ".join(cell.sources)),
        )
    )


def _effect(effect: Interval | None) -> Cell:
    return cells.effect(effect.value, effect.low, effect.high) if effect else cells.missing()
