"""How far one emotion moves a feature away from the others, speaker by speaker.

Each speaker is a small study of their own: the effect is measured among one person's clips, in
units of that person's own spread, and the persons are averaged. A voice that is high, loud or
close to the microphone in all of its clips therefore adds nothing.
"""

from dataclasses import dataclass
from math import comb, lgamma
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float64s, Int64s
from ser_pipeline.metrics.bootstrap import RESAMPLES, TAILS

Direction = Literal["up", "down", "mixed", "not stated"]
"""Where an emotion moves a property; ``mixed``: the sources contradict each other or themselves."""

Agreement = Literal["agrees", "opposes", "unclear", "not compared"]
"""``unclear``: the interval holds 0 or there is none; ``not compared``: there is no effect, or no one
direction is published."""


MIN_CLIPS: Final = 2
"""Fewest clips a speaker needs of an emotion, and of the others, to have an effect of it."""

_CHUNK = 100
_FLAT = 1e-18
"""Share of the squared size of the values below which their scatter is rounding."""
_SEPARATE = 1e-12
"""Share of the whole scatter below which what remains inside the two sides is rounding."""


@dataclass(frozen=True)
class SpeakerEffects:
    """Effects within each speaker.

    Attributes:
        g: Hedges' g, shape ``(speakers, features, classes)``; NaN where a speaker has none.
        weights: of each speaker in the mean, shape ``(speakers, classes)``.
        names: of the speakers, in order.
    """

    g: Float64s
    weights: Float64s
    names: tuple[str, ...]

    @property
    def defined(self) -> Int64s:
        """Speakers that have an effect, shape ``(features, classes)``."""
        counts: Int64s = np.isfinite(self.g).sum(0)
        return counts


def small_sample_factor(freedom: int) -> float:
    """What Cohen's d is multiplied by to be unbiased.

    Args:
        freedom: degrees of freedom of the pooled deviation, at least 2.

    References:
        Hedges, "Distribution theory for Glass's estimator of effect size and related estimators",
        Journal of Educational Statistics 6, 1981, equation 4 (the exact one, not its approximation).

    Examples:
        >>> round(small_sample_factor(10), 4)
        0.9227
    """
    half = freedom / 2
    return float(np.exp(lgamma(half) - lgamma(half - 0.5)) / np.sqrt(half))


def speaker_effects(
    values: npt.ArrayLike, targets: npt.ArrayLike, speakers: npt.ArrayLike, classes: int
) -> SpeakerEffects:
    """Hedges' g of every feature for each emotion against all others, within every speaker.

    A speaker counts for an emotion with at least :data:`MIN_CLIPS` clips of it and of the others,
    with the weight ``n1 n2 / (n1 + n2)``: the inverse variance of g if there is no effect.

    Args:
        values: shape ``(clips, features)``, finite.
        targets: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        classes: number of classes.

    References:
        Hedges and Olkin, "Statistical Methods for Meta-Analysis", 1985, chapters 5 and 6.

    Examples:
        >>> pitch = [[100.0], [110.0], [130.0], [140.0], [200.0], [210.0], [230.0], [240.0]]
        >>> effects = speaker_effects(pitch, [0, 0, 1, 1, 0, 0, 1, 1], list("aaaabbbb"), 2)
        >>> mean_effects(effects).round(2)
        array([[-2.39,  2.39]])
    """
    table, labels = np.asarray(values, np.float64), np.asarray(targets, np.int64)
    names, place = np.unique(np.asarray(speakers, object).astype(str), return_inverse=True)
    g = np.full((len(names), table.shape[1], classes), np.nan)
    weights = np.zeros((len(names), classes))
    for number in range(len(names)):
        rows = place == number
        g[number] = _within(table[rows], labels[rows], classes)
        ones = np.bincount(labels[rows], minlength=classes)
        weights[number] = ones * (rows.sum() - ones) / rows.sum()
    return SpeakerEffects(g, weights, tuple(names.tolist()))


def mean_effects(effects: SpeakerEffects) -> Float64s:
    """Weighted mean over speakers, shape ``(features, classes)``; NaN where no speaker has any."""
    once = np.ones((1, len(effects.names)))
    found: Float64s = _weighted(effects, once)[0]
    return found


def effect_intervals(
    effects: SpeakerEffects, *, seed: int = 0, resamples: int = RESAMPLES
) -> tuple[Float64s, Float64s]:
    """Percentile intervals of :func:`mean_effects`, drawing speakers with replacement.

    Args:
        effects: of at least one speaker.
        seed: of the draws.
        resamples: number of draws.

    Returns:
        Ends at 95 %, shape ``(features, classes)`` each; NaN where fewer than two speakers have an effect.

    Examples:
        >>> same = SpeakerEffects(np.full((5, 1, 1), 0.5), np.ones((5, 1)), tuple("abcde"))
        >>> [end.item() for end in effect_intervals(same, resamples=10)]
        [0.5, 0.5]
    """
    _, features, classes = effects.g.shape
    low, high = np.full((features, classes), np.nan), np.full((features, classes), np.nan)
    people = len(effects.names)
    if people < 2:
        return low, high
    times = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), resamples)
    for start in range(0, features, _CHUNK):  # memory stays bounded with thousands of features
        some = slice(start, start + _CHUNK)
        drawn = _weighted(SpeakerEffects(effects.g[:, some], effects.weights, effects.names), times)
        low[some], high[some] = _quantiles(drawn)
    alone = effects.defined < 2
    low[alone], high[alone] = np.nan, np.nan
    return low, high


def combined(effects: SpeakerEffects, columns: list[int], signs: list[int]) -> SpeakerEffects:
    """Effects of a property that several features stand for: their mean, each turned by its sign.

    Args:
        effects: of all features.
        columns: of those that stand for the property.
        signs: 1 where the feature rises with the property, -1 where it falls.

    Returns:
        Effects of one feature; a speaker without an effect of some of them gets the mean of the others.
    """
    turned = effects.g[:, columns] * np.asarray(signs, np.float64)[:, None]
    there = np.isfinite(turned)
    total = np.where(there, turned, 0.0).sum(1, keepdims=True)
    count = there.sum(1, keepdims=True)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return SpeakerEffects(mean, effects.weights, effects.names)


def effect_similarity(first: Float64s, second: Float64s) -> Float64s:
    """Correlation over features of two sets of effects, as of two languages, by emotion.

    Args:
        first: shape ``(features, classes)``.
        second: shape ``(features, classes)``.

    Returns:
        Pearson's r over the features that have both effects, shape ``(classes,)``; NaN with fewer than 3.

    Examples:
        >>> one = np.array([[1.0], [2.0], [4.0]])
        >>> effect_similarity(one, -3 * one)
        array([-1.])
    """
    found = np.full(first.shape[1], np.nan)
    for column in range(first.shape[1]):
        pair = np.stack([first[:, column], second[:, column]])
        pair = pair[:, np.isfinite(pair).all(0)]
        if pair.shape[1] > 2 and pair.std(1).min() > 0:
            x, y = pair - pair.mean(1, keepdims=True)
            found[column] = x @ y / np.sqrt((x @ x) * (y @ y))
    return found


def _within(values: Float64s, targets: Int64s, classes: int) -> Float64s:
    """Hedges' g of each class against the others, shape ``(features, classes)``.

    It is ``J (mean(class) - mean(others)) / pooled deviation``; NaN where neither side varies.
    """
    clips = len(values)
    found = np.full((values.shape[1], classes), np.nan)
    if clips < 2 * MIN_CLIPS:
        return found
    moved = values - values.mean(0)  # sums of squares lose no digits to a far-away mean
    scatter = (moved**2).sum(0)
    varies = scatter > _FLAT * clips * np.abs(values).max(0) ** 2
    factor = small_sample_factor(clips - 2)
    for number in range(classes):
        mine = targets == number
        ones = int(mine.sum())
        if min(ones, clips - ones) < MIN_CLIPS:
            continue
        difference = moved[mine].mean(0) - moved[~mine].mean(0)
        inside = scatter - ones * (clips - ones) / clips * difference**2
        usable = varies & (inside > _SEPARATE * scatter)
        deviation = np.sqrt(np.where(usable, inside, 1.0) / (clips - 2))
        found[usable, number] = (factor * difference / deviation)[usable]
    return found


def _weighted(effects: SpeakerEffects, times: Int64s | Float64s) -> Float64s:
    """Mean over speakers, each taken ``times`` over, shape ``(draws, features, classes)``."""
    there = np.isfinite(effects.g)
    weights = np.where(there, effects.weights[:, None, :], 0.0)
    shape = (len(times), *effects.g.shape[1:])
    flat = (len(effects.g), -1)
    total = times @ (weights * np.where(there, effects.g, 0.0)).reshape(flat)
    weight = times @ weights.reshape(flat)
    mean: Float64s = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return mean.reshape(shape)


def _quantiles(drawn: Float64s) -> tuple[Float64s, Float64s]:
    """The middle 95 % over draws; a draw that holds no speaker with an effect is left out."""
    found: Float64s = np.asarray(np.quantile(np.where(np.isnan(drawn), 0.0, drawn), TAILS, axis=0))
    for cell in np.argwhere(np.isnan(drawn).any(0)):
        values = drawn[:, cell[0], cell[1]]
        there = values[np.isfinite(values)]
        found[:, cell[0], cell[1]] = np.quantile(there, TAILS) if len(there) else np.nan
    return found[0], found[1]


def agreement(direction: Direction, low: float | None, high: float | None) -> Agreement:
    """Compare a measured effect with a published direction.

    Args:
        direction: as published.
        low: lower end of the effect's interval, None if there is none.
        high: upper end.

    Returns:
        ``unclear`` where the interval holds 0 or is missing; ``not compared`` where no one direction
        is published.

    Examples:
        >>> agreement("up", 0.2, 0.9), agreement("down", 0.2, 0.9), agreement("up", -0.1, 0.9)
        ('agrees', 'opposes', 'unclear')
    """
    if direction not in ("up", "down"):
        return "not compared"
    if low is None or high is None or low <= 0 <= high:
        return "unclear"
    return "agrees" if (low > 0) == (direction == "up") else "opposes"


def chance_of_agreement(agrees: int, opposes: int) -> float:
    """Probability that tossing a coin for each clear effect would agree as often or more.

    Args:
        agrees: clear effects that go the published way.
        opposes: clear effects that go the other way.

    Returns:
        Upper tail of the binomial distribution with a share of one half; 1 where nothing is clear.

    Examples:
        >>> chance_of_agreement(3, 1)
        0.3125
    """
    tosses = agrees + opposes
    return float(sum(comb(tosses, heads) for heads in range(agrees, tosses + 1)) / 2**tosses)
