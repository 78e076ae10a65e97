"""Intervals by resampling speakers, for one score or for several arms and seeds."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Bools, Float64s, Int64s
from ser_pipeline.metrics.scores import Counts, accuracy, error_distance, macro_f1, recall, uar
from ser_pipeline.records import named_among, names_nobody
from ser_pipeline.tables.cells import listed, plural

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
TAILS: Final = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
"""Shares of the draws that lie below each end of an interval."""

FEW_SPEAKERS: Final = 10
"""With fewer, an interval says little and the text beside it says so."""

TOO_FEW_HOLDERS: Final = 5
"""With fewer speakers of an emotion, what they have in common is taken for certain: among 12 speakers who
each said each emotion ten times, simulated 95 % intervals held the truth 88 times in 100, with 3 speakers of
each emotion 84 times, and with 2 of each 71 times."""

SCORES: Final = MappingProxyType({"accuracy": accuracy, "uar": uar, "macro_f1": macro_f1})

_CHUNK = 250


def drawn_apart(speakers: npt.ArrayLike) -> tuple[list[str], Int64s]:
    """Whose clips are drawn apart from those of others.

    Those of a corpus that do not say who speaks are drawn together. With fewer than two known speakers,
    nothing tells how others would do: all clips stay together, so that there is no interval.

    Args:
        speakers: names, shape ``(clips,)``.

    Returns:
        All names, sorted, and for each clip the number of what it is drawn with.

    Examples:
        >>> drawn_apart(["b", "a", "x-unknown", "b"])[1]
        array([1, 0, 2, 1])
        >>> drawn_apart(["a", "x-unknown"])[1]
        array([0, 0])
    """
    found, place = np.unique(np.asarray(speakers, object).astype(str), return_inverse=True)
    names: list[str] = found.tolist()
    return names, place if len(named_among(names)) > 1 else np.zeros_like(place)


def speaker_confusions(
    targets: npt.ArrayLike, predicted: npt.ArrayLike, speakers: npt.ArrayLike, classes: int
) -> tuple[Int64s, list[str]]:
    """Count decisions by speaker, as :func:`drawn_apart` tells them apart.

    Args:
        targets: class numbers, shape ``(clips,)``.
        predicted: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        classes: number of classes.

    Returns:
        Shape ``(drawn, classes, classes)``, and all names.

    Examples:
        >>> counts, names = speaker_confusions([0, 1, 1], [0, 0, 1], ["b", "a", "b"], 2)
        >>> names, counts[0].tolist()
        (['a', 'b'], [[0, 0], [1, 0]])
    """
    names, place = drawn_apart(speakers)
    cell = (place * classes + np.asarray(targets, np.int64)) * classes + np.asarray(predicted, np.int64)
    shape = (place.max(initial=-1) + 1, classes, classes)
    return np.bincount(cell, minlength=math.prod(shape)).reshape(shape), names


def bootstrap_intervals(
    by_speaker: Int64s, names: Sequence[str] | None = None, *, seed: int = 0, resamples: int = RESAMPLES
) -> Mapping[str, tuple[float, float]]:
    """Percentile intervals of accuracy, UAR and macro-F1, drawing speakers with replacement.

    Args:
        by_speaker: counts, shape ``(speakers, classes, classes)``.
        names: whose counts these are, as :func:`speaker_confusions` gives both; None for known speakers.
        seed: of the draws.
        resamples: number of draws.

    Returns:
        Score -> (low, high) at 95 %; without those that cannot be drawn (:func:`drawn_scores`).

    References:
        Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.

    Examples:
        >>> same = np.tile(np.array([[3, 1], [1, 3]]), (12, 1, 1))
        >>> bootstrap_intervals(same)["uar"]
        (0.75, 0.75)
    """
    drawn = drawn_scores([by_speaker[None]], SCORES, names=names, seed=seed, resamples=resamples)
    return {name: middle(draws) for name, (draws,) in drawn.items()}


def describe_intervals(
    names: Sequence[str], seed: int = 0, *, unnamed: int = 0, fewest: tuple[int, Sequence[str]] | None = None
) -> str:
    """Say in words how intervals were made, and what they are worth.

    Args:
        names: what was drawn: speakers, and the clips of each corpus that do not say who speaks.
        seed: of the draws.
        unnamed: how many clips do not say who speaks, where that was counted.
        fewest: how many speakers have clips of the emotions of which fewest have, and these emotions.

    Examples:
        >>> describe_intervals(["a-1"])
        'no interval: one speaker (a-1)'
        >>> describe_intervals(["a-1", "b-unknown"], unnamed=9)
        'no interval: one speaker (a-1), and 9 clips do not say who speaks'
    """
    named = named_among(names)
    if not names:
        return "no interval: no clips"
    nobodys = f"{plural(unnamed, 'clip does', 'clips do') if unnamed else 'clips do'} not say who speaks"
    if len(named) < 2:
        alone = [f"one speaker ({named[0]})"] if named else []
        return f"no interval: {', and '.join([*alone, *([nobodys] if len(named) < len(names) else [])])}"
    drawn = plural(len(named), "speaker")
    text = f"95 % percentile bootstrap over {drawn}, {RESAMPLES} resamples, seed {seed}"
    if len(named) < len(names):
        text += f"; {nobodys}, and those of a corpus are drawn together"
    holders, emotions = fewest or (FEW_SPEAKERS, ())
    if holders < 2:
        text += (
            f"; no interval for UAR and macro-F1, because clips of {listed(emotions)} do not come from "
            "several known speakers"
        )
    elif holders < TOO_FEW_HOLDERS <= len(named):
        text += f"; too narrow, because only {holders} speakers have clips of {listed(emotions)}"
    if len(named) < FEW_SPEAKERS:
        text += (
            f"; fewer than {FEW_SPEAKERS} speakers ({', '.join(named)}): read the scores per speaker instead"
        )
    return text


Score = Callable[[Counts], Float64s]
"""From counts of shape ``(..., classes, classes)`` to a score of shape ``(...)``."""


def drawn_scores(
    arms: Sequence[Counts],
    scores: Mapping[str, Score],
    *,
    names: Sequence[str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[str, tuple[Float64s, ...]]:
    """Draw speakers, the same ones for all arms, and seeds of each arm, all with replacement.

    Args:
        arms: counts by speaker of each seed, shape ``(seeds, speakers, classes, classes)`` each, or sums,
            ``(seeds, speakers, columns)``; the number of seeds may differ.
        scores: what to compute of each draw.
        names: of the speakers, where some may be nobody; None if all are known.
        seed: of all draws.
        resamples: number of draws.

    Returns:
        Score -> one array per arm, shape ``(resamples,)``; empty with fewer than two speakers, where
        nothing can be drawn. A draw without clips of a class that the arms have is drawn again, so that
        every draw is a score of the same classes. If fewer than two known speakers have clips of a class,
        nothing tells how far others would be from them: then there are draws of scores over clips alone.

    References:
        Owen and Eckles, "Bootstrapping data arrays of arbitrary order", Annals of Applied Statistics
        6, 2012.
    """
    speakers = arms[0].shape[1]
    if speakers < 2:
        return {}
    rng, said = np.random.default_rng(seed), _classes_of(arms[0])
    if (said[known_among(names, speakers)].sum(0) < 2).any():
        scores, said = {name: score for name, score in scores.items() if _over_clips(score)}, said[:, :0]
    drawn: dict[str, list[list[Float64s]]] = {name: [[] for _ in arms] for name in scores}
    for start in range(0, resamples, _CHUNK):  # memory stays bounded with thousands of speakers
        size = min(_CHUNK, resamples - start)
        times = drawn_speakers(rng, size, said)
        shares = [rng.multinomial(len(arm), np.full(len(arm), 1 / len(arm)), size) / len(arm) for arm in arms]
        for number, (arm, share) in enumerate(zip(arms, shares, strict=True)):
            confusions = np.tensordot(
                times, arm.astype(np.float64), (1, 1)
            )  # (draws, seeds, classes, classes)
            for name, score in scores.items():
                drawn[name][number].append((score(confusions) * share).sum(1))
    return {name: tuple(np.concatenate(parts) for parts in each) for name, each in drawn.items()}


def _over_clips(score: Score) -> bool:
    """Whether each clip counts alike, whatever its class."""
    return getattr(score, "func", score) in (accuracy, error_distance)


def _classes_of(arm: Counts) -> Bools:
    """Which classes each speaker has clips of, shape ``(speakers, classes)``; of sums, no class."""
    if arm.ndim < 4:
        return np.zeros((arm.shape[1], 0), np.bool_)
    said: Bools = arm.sum((0, 3)) > 0
    return said[:, said.any(0)]


def known_among(names: Sequence[str] | None, drawn: int) -> Bools:
    """Which of those that are drawn are known speakers, shape ``(drawn,)``; without names, all are."""
    if names is None or len(names) != drawn:
        return np.ones(drawn, np.bool_)
    return np.array([not names_nobody(name) for name in names], np.bool_)


def fewest_holders(
    by_speaker: Int64s, names: Sequence[str], emotions: Sequence[str]
) -> tuple[int, list[str]]:
    """How many known speakers have clips of the emotions of which fewest have, and these emotions.

    Args:
        by_speaker: counts, shape ``(speakers, classes, classes)``.
        names: whose counts these are, as :func:`speaker_confusions` gives both.
        emotions: of the classes.
    """
    there = by_speaker.sum((0, 2)) > 0
    holders = (by_speaker[known_among(names, len(by_speaker))].sum(2) > 0).sum(0)
    least = int(holders[there].min(initial=len(by_speaker)))
    told = zip(emotions, holders.tolist(), there.tolist(), strict=True)
    return least, [name for name, count, some in told if some and count == least]


def drawn_speakers(rng: np.random.Generator, size: int, said: Bools) -> Int64s:
    """How often each speaker is drawn; each class is among those drawn.

    Args:
        rng: draws.
        size: number of draws.
        said: which classes each speaker has clips of, shape ``(speakers, classes)``; each has some.

    Returns:
        Shape ``(size, speakers)``.
    """
    speakers = len(said)
    times = rng.multinomial(speakers, np.full(speakers, 1 / speakers), size)
    while (lacking := ((times @ said.astype(np.int64)) == 0).any(1)).any():
        times[lacking] = rng.multinomial(speakers, np.full(speakers, 1 / speakers), int(lacking.sum()))
    return times


def percentile_interval(draws: Float64s | None) -> tuple[float, float] | tuple[None, None]:
    """The middle 95 % of draws; (None, None) without.

    Examples:
        >>> percentile_interval(np.full(9, 0.5))
        (0.5, 0.5)
    """
    return (None, None) if draws is None else middle(draws)


def middle(draws: Float64s) -> tuple[float, float]:
    """The middle 95 % of draws, of which there are some."""
    low, high = np.quantile(draws, TAILS)
    return float(low), float(high)


def bootstrap_p(draws: Float64s, null: float = 0.0) -> float:
    """Two-sided p-value of a value by its draws: twice the smaller share on one side of it.

    Args:
        draws: shape ``(resamples,)``.
        null: the value that is tested.

    References:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 15.4: achieved
        significance levels; one draw is added, so that it is never 0.

    Examples:
        >>> bootstrap_p(np.array([0.1, 0.2, 0.3, 0.4, -0.1, 0.2, 0.1, 0.3, 0.2]))
        0.4
    """
    side = min(int((draws <= null).sum()), int((draws >= null).sum()))
    return min(1.0, 2 * (side + 1) / (len(draws) + 1))


def best_class_lead(confusion: Counts, number: int) -> Float64s:
    """How far the recall of one class lies above the best of the others; below 0 where it does not.

    Args:
        confusion: counts, shape ``(..., classes, classes)``, rows true classes.
        number: of the class.

    Examples:
        >>> best_class_lead(np.array([[4, 0], [2, 2]]), 0)
        array(0.5)
    """
    recalls = recall(confusion)
    others = np.delete(recalls, number, axis=-1).max(-1)
    lead: Float64s = np.asarray(recalls[..., number] - others)
    return lead


def confusion_lead(confusion: Counts, pairs: Sequence[tuple[int, int]]) -> Float64s:
    """How far the rarest of some confusions lies above the most frequent of all others.

    A confusion of two classes is the mean of both shares: clips of one that were taken for the other.

    Args:
        confusion: counts, shape ``(..., classes, classes)``, rows true classes.
        pairs: class numbers of the confusions that are said to be most frequent.

    Returns:
        Shape ``(...)``, a difference of shares: above 0 where ``pairs`` are the most frequent ones.

    Examples:
        >>> confusion_lead(np.array([[6, 4, 0], [2, 8, 0], [0, 1, 9]]), [(0, 1)])
        array(0.25)
    """
    classes = confusion.shape[-1]
    total = confusion.sum(-1, keepdims=True)
    shares = np.divide(confusion, total, out=np.zeros(confusion.shape), where=total > 0)
    both = (shares + np.swapaxes(shares, -1, -2)) / 2
    named = {(min(pair), max(pair)) for pair in pairs}
    every = [(first, second) for first in range(classes) for second in range(first + 1, classes)]
    least = np.min([both[..., first, second] for first, second in every if (first, second) in named], axis=0)
    most = np.max(
        [both[..., first, second] for first, second in every if (first, second) not in named], axis=0
    )
    lead: Float64s = np.asarray(least - most)
    return lead
