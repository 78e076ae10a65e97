"""What ``ser explain`` writes of a run, for the report and for programs.

``explanation.json`` says what the features of a run tell; ``shares.json`` of a run on mels or through an
encoder how much each input, layer, pooling or band matters. Both stand beside the files that
:mod:`ser_pipeline.runs.types` lists.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, FiniteFloat

from ser_pipeline.errors import RunError
from ser_pipeline.metrics.effect import Agreement, Direction
from ser_pipeline.options import Options
from ser_pipeline.runs.files import read_result
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.tables.cells import plural

EXPLANATION: Final = "explanation.json"
EXPLANATION_SCHEMA: Final = 1

Matrix = tuple[tuple[FiniteFloat | None, ...], ...]

SHARES: Final = "shares.json"

ShareKind = Literal[
    "input",
    "layer",
    "pooling",
    "layer and pooling",
    "band of frequencies",
    "group of features",
    "part of the clip",
    "training of a layer",
]
"""What is permuted; the training of a layer is undone instead."""


class Interval(Estimate):
    """An estimate whose numbers are finite: a file that holds others is refused."""

    value: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None


class FeatureName(Options):
    """A feature: its name, the unit of its values ("1" for plain numbers), and the group it belongs to."""

    name: str
    unit: str
    group: str


class FeatureImportance(Options):
    """What permuting one feature, or all of one group, costs.

    Attributes:
        name: of the feature or group.
        drop: of UAR, as a share; below 0 where the model did better without.
        spread: standard deviation of the drop over repeats.
    """

    name: str
    drop: Interval
    spread: FiniteFloat


class EffectTable(Options):
    """Hedges' g of each emotion against the others, within speakers.

    Attributes:
        language: BCP 47 tag, or None for all clips.
        clips: number of clips.
        speakers: number of speakers.
        values: shape ``(features, emotions)``; None where no speaker has an effect.
        low: lower ends of the intervals, same shape.
        high: upper ends, same shape.
    """

    language: str | None
    clips: int
    speakers: int
    values: Matrix
    low: Matrix
    high: Matrix


class LanguagePair(Options):
    """How alike the effects are in two languages: Pearson's r over features, by emotion."""

    first: str
    second: str
    similarity: tuple[FiniteFloat | None, ...]


class FeaturePair(Options):
    """Two features and Spearman's correlation between them within speakers."""

    first: str
    second: str
    correlation: FiniteFloat


class LanguageEffect(Options):
    """Effect of a property in one language; None where no speaker of it has one."""

    language: str
    effect: Interval | None
    verdict: Agreement


class ProfileCell(Options):
    """One property of one emotion, as measured and as published.

    Attributes:
        property: in words, as "mean pitch".
        emotion: of the run.
        features: that stand for the property, a minus before those that fall when it rises.
        direction: as published.
        sources: that state it.
        effect: mean effect of the features, None where no speaker has one.
        verdict: of the comparison.
        by_language: the same in each language, where there are several.
    """

    property: str
    emotion: str
    features: tuple[str, ...]
    direction: Direction
    sources: tuple[str, ...]
    effect: Interval | None
    verdict: Agreement
    by_language: tuple[LanguageEffect, ...] = ()


class ProfileSummary(Options):
    """Counts of verdicts.

    Attributes:
        agrees: clear effects that go the published way.
        opposes: clear effects that go the other way.
        unclear: effects that have a published direction but no clear one of their own.
        chance: probability that a coin for each clear effect agrees as often or more.
    """

    agrees: int
    opposes: int
    unclear: int
    chance: FiniteFloat


class Explanation(Options):
    """What the features of a run tell.

    Attributes:
        part: of the split that importance was measured on.
        clips: of that part.
        speakers: of that part.
        seed: of permutations and draws.
        repeats: permutations of each feature and group.
        emotions: class names, in the order of every table.
        features: in the order of every table.
        groups: names, in the order of ``group_correlations``.
        uar: of the model on the part, as it is.
        importances: one per feature, in their order.
        group_importances: one per group, in their order.
        effects: over all clips of the run first, then by language where there are several.
        languages: each pair of languages.
        group_correlations: mean absolute correlation of features within and between groups.
        closest: pairs of features that say most nearly the same.
        profiles: properties with published directions; empty where no feature stands for one.
        summary: of ``profiles``.
        importance_interval: how those intervals were made, in words.
        effect_interval: likewise.
        notes: what a reader must know, one sentence each.
    """

    schema_version: Literal[1] = EXPLANATION_SCHEMA
    part: str
    clips: int
    speakers: int
    seed: int
    repeats: int
    emotions: tuple[str, ...]
    features: tuple[FeatureName, ...]
    groups: tuple[str, ...]
    uar: Interval
    importances: tuple[FeatureImportance, ...]
    group_importances: tuple[FeatureImportance, ...]
    effects: tuple[EffectTable, ...]
    languages: tuple[LanguagePair, ...]
    group_correlations: tuple[tuple[FiniteFloat, ...], ...]
    closest: tuple[FeaturePair, ...]
    profiles: tuple[ProfileCell, ...]
    summary: ProfileSummary
    importance_interval: str
    effect_interval: str
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line: which features the decisions rest on most."""
        first = sorted(self.importances, key=lambda each: -each.drop.value)[:3]
        names = ", ".join(each.name for each in first)
        return f"Explanation({plural(self.clips, f'{self.part} clip')}: most by {names})"

    __str__ = __repr__

    @property
    def fits(self) -> bool:
        """Every table has a row or column for each feature, group and emotion it is about."""
        features, emotions, groups = len(self.features), len(self.emotions), len(self.groups)
        tables = (table for each in self.effects for table in (each.values, each.low, each.high))
        return (
            bool(self.effects)
            and len(self.importances) == features
            and len(self.group_importances) == groups
            and all([len(row) for row in table] == [emotions] * features for table in tables)
            and [len(row) for row in self.group_correlations] == [groups] * groups
            and all(len(pair.similarity) == emotions for pair in self.languages)
        )


def by_drop(entries: Sequence[FeatureImportance]) -> list[FeatureImportance]:
    """Features or groups, the one that matters most first."""
    return sorted(entries, key=lambda entry: (-entry.drop.value, entry.name))


def read_explanation(folder: Path) -> Explanation | None:
    """Read the explanation of a run; None where it has not been explained.

    Raises:
        RunError: the file cannot be read, was written by another version, or contradicts itself.
    """
    path, again = folder / EXPLANATION, f"explain it again with 'ser explain {folder}'"
    if not path.exists():
        return None
    found = read_result(Explanation, path, remedy=again)
    if not found.fits:
        raise RunError(f"{path}: its tables are not of the features and emotions it lists; {again}")
    return found


class InputImportance(FeatureImportance):
    """What permuting, or leaving out, some columns of the input costs.

    Attributes:
        columns: how many there are; of a step where the input consists of steps, and of trained weights for
            the training of a layer.
        without: drop of UAR when they are left out: held at their mean over the training clips.
        share: of the drops by permutation of all entries of the table; 0 where the model did better without.
        weight: of a layer in the average that a probe has learned; None where there is none.
    """

    columns: int
    without: FiniteFloat
    share: FiniteFloat
    weight: FiniteFloat | None = None


class ShareTable(Options):
    """All parts of one kind, in the order of the columns or of time."""

    kind: ShareKind
    entries: tuple[InputImportance, ...] = Field(min_length=1)


class Shares(Options):
    """Importance of the parts of a run's input.

    Attributes:
        part: of the split that they were measured on.
        clips: of that part.
        speakers: of that part.
        seed: of permutations and draws.
        repeats: permutations of each set of columns.
        emotions: class names.
        uar: of the model on the part, as it is.
        tables: from the coarsest to the finest.
        interval: how intervals were made, in words.
        notes: what a reader must know, one sentence each.
    """

    schema_version: Literal[1] = 1
    part: str
    clips: int
    speakers: int
    seed: int
    repeats: int
    emotions: tuple[str, ...]
    uar: Interval
    tables: tuple[ShareTable, ...] = Field(min_length=1)
    interval: str
    notes: tuple[str, ...] = ()

    @property
    def weighted(self) -> bool:
        """Whether a probe has learned how much each layer counts."""
        return any(each.weight is not None for table in self.tables for each in table.entries)

    def __repr__(self) -> str:
        """Name the most important parts in one line."""
        first = sorted(self.tables[0].entries, key=lambda each: -each.share)[:3]
        names = ", ".join(f"{each.name} {100 * each.share:.0f} %" for each in first)
        return f"Shares({plural(self.clips, f'{self.part} clip')}: {names})"

    __str__ = __repr__


def read_shares(folder: Path) -> Shares | None:
    """Read the shares of a run; None where it has not been explained.

    Raises:
        RunError: the file cannot be read, or was written by another version.
    """
    path, again = folder / SHARES, f"explain it again with 'ser explain {folder}'"
    return read_result(Shares, path, remedy=again) if path.exists() else None
