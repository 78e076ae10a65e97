"""From arrays of effects, drops and correlations to the tables of an explanation."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ser_pipeline.evaluation.profiles import PROFILED, Published, measured_properties, published
from ser_pipeline.explanations import (
    EffectTable,
    FeaturePair,
    Importance,
    Interval,
    LanguageEffect,
    LanguagePair,
    ProfileCell,
    ProfileSummary,
    Table,
    Verdict,
)
from ser_pipeline.metrics import importance
from ser_pipeline.metrics.agreement import chance_of_agreement, verdict
from ser_pipeline.metrics.correlation import closest_pairs
from ser_pipeline.metrics.effect import (
    SpeakerEffects,
    combined,
    effect_intervals,
    effect_similarity,
    mean_effects,
)

Floats = npt.NDArray[np.float64]

DIGITS = 6
"""Significant digits kept in the file; the intervals are far wider."""


def number(value: float) -> float | None:
    """Round a number for the file; None where there is none.

    Examples:
        >>> number(1 / 3), number(float("nan"))
        (0.333333, None)
    """
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def interval(value: float, low: float, high: float) -> Interval | None:
    """A number with its interval; None where there is no number."""
    middle = number(value)
    return None if middle is None else Interval(value=middle, low=number(low), high=number(high))


def known(value: float, low: float, high: float) -> Interval:
    """A number that is always there, with its interval."""
    return Interval(value=float(f"{value:.{DIGITS}g}"), low=number(low), high=number(high))


def table(values: Floats) -> Table:
    """Rows of rounded numbers, None where there is none."""
    return tuple(tuple(map(number, row)) for row in values.tolist())


def full(values: Floats) -> tuple[tuple[float, ...], ...]:
    """Rows of rounded numbers that are all there."""
    return tuple(tuple(float(f"{value:.{DIGITS}g}") for value in row) for row in values.tolist())


def importances(names: Sequence[str], found: importance.Importance) -> tuple[Importance, ...]:
    """One entry per feature or group, in their order."""
    arrays = (found.drop, found.low, found.high, found.spread)
    columns = zip(names, *(array.tolist() for array in arrays), strict=True)
    return tuple(
        Importance(name=name, drop=known(drop, low, high), spread=float(f"{spread:.{DIGITS}g}"))
        for name, drop, low, high, spread in columns
    )


def effect_table(effects: SpeakerEffects, clips: int, language: str | None, seed: int) -> EffectTable:
    """Mean effects of some clips with their intervals."""
    low, high = effect_intervals(effects, seed=seed)
    return EffectTable(
        language=language,
        clips=clips,
        speakers=len(effects.names),
        values=table(mean_effects(effects)),
        low=table(low),
        high=table(high),
    )


def language_pairs(effects: dict[str, SpeakerEffects]) -> tuple[LanguagePair, ...]:
    """How alike the effects of every two languages are."""
    means = {language: mean_effects(found) for language, found in effects.items()}
    return tuple(
        LanguagePair(
            first=first,
            second=second,
            similarity=table(effect_similarity(means[first], means[second])[None])[0],
        )
        for first, second in combinations(means, 2)
    )


def feature_pairs(correlations: Floats, names: Sequence[str], limit: int) -> tuple[FeaturePair, ...]:
    """Pairs of features that say most nearly the same."""
    return tuple(
        FeaturePair(first=names[first], second=names[second], correlation=float(f"{value:.{DIGITS}g}"))
        for first, second, value in closest_pairs(correlations, limit)
    )


def profile_cells(
    effects: Mapping[str | None, SpeakerEffects], names: tuple[str, ...], emotions: Sequence[str], seed: int
) -> tuple[ProfileCell, ...]:
    """Compare each property that the features measure with what is published of it.

    Args:
        effects: of all features, over all clips under None, and by language.
        names: of the features.
        emotions: class names.
        seed: of the draws of the intervals.
    """
    cells: list[ProfileCell] = []
    for row, columns, signs in measured_properties(names):
        told = tuple(("" if sign > 0 else "-") + names[at] for at, sign in zip(columns, signs, strict=True))
        found = {tag: _intervals(combined(each, columns, signs), seed) for tag, each in effects.items()}
        for place, emotion in enumerate(emotions):
            if emotion in PROFILED:
                stated = published(row.name, emotion)
                cells.append(_profile_cell(stated, told, {tag: each[place] for tag, each in found.items()}))
    return tuple(cells)


def _intervals(effects: SpeakerEffects, seed: int) -> list[Interval | None]:
    """Effects of a single feature on each emotion."""
    low, high = effect_intervals(effects, seed=seed)
    return [interval(*row) for row in zip(mean_effects(effects)[0], low[0], high[0], strict=True)]


def _profile_cell(
    stated: Published, features: tuple[str, ...], found: Mapping[str | None, Interval | None]
) -> ProfileCell:
    def judged(effect: Interval | None) -> Verdict:
        return verdict(stated.direction, effect.low, effect.high) if effect else "not compared"

    return ProfileCell(
        property=stated.property,
        emotion=stated.emotion,
        features=features,
        direction=stated.direction,
        sources=stated.sources,
        effect=found[None],
        verdict=judged(found[None]),
        by_language=tuple(
            LanguageEffect(language=tag, effect=effect, verdict=judged(effect))
            for tag, effect in found.items()
            if tag is not None
        ),
    )


def profile_summary(cells: Sequence[ProfileCell]) -> ProfileSummary:
    """Count the verdicts and set them beside chance."""
    verdicts = [cell.verdict for cell in cells]
    agrees, opposes = verdicts.count("agrees"), verdicts.count("opposes")
    return ProfileSummary(
        agrees=agrees,
        opposes=opposes,
        unclear=verdicts.count("unclear"),
        chance=chance_of_agreement(agrees, opposes),
    )
