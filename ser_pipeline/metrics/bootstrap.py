"""Intervals by resampling speakers: clips of one person are not independent of each other."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.metrics.scores import Floats, accuracy, macro_f1, uar

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
FEW_SPEAKERS: Final = 10
"""With fewer, an interval says little and the text beside it says so."""

SCORES: Final = MappingProxyType({"accuracy": accuracy, "uar": uar, "macro_f1": macro_f1})

_CHUNK = 250


def speaker_confusions(
    targets: npt.ArrayLike, predicted: npt.ArrayLike, speakers: npt.ArrayLike, classes: int
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Count decisions by speaker.

    Args:
        targets: class numbers, shape ``(clips,)``.
        predicted: class numbers, shape ``(clips,)``.
        speakers: names, shape ``(clips,)``.
        classes: number of classes.

    Returns:
        Shape ``(speakers, classes, classes)``, and the names in that order.

    Examples:
        >>> counts, names = speaker_confusions([0, 1, 1], [0, 0, 1], ["b", "a", "b"], 2)
        >>> names, counts[0].tolist()
        (['a', 'b'], [[0, 0], [1, 0]])
    """
    names, index = np.unique(np.asarray(speakers, object).astype(str), return_inverse=True)
    cell = (index * classes + np.asarray(targets, np.int64)) * classes + np.asarray(predicted, np.int64)
    counts = np.bincount(cell, minlength=len(names) * classes * classes)
    return counts.reshape(len(names), classes, classes), names.tolist()


def bootstrap_intervals(
    by_speaker: npt.NDArray[np.int64], *, seed: int = 0, resamples: int = RESAMPLES
) -> Mapping[str, tuple[float, float]]:
    """Percentile intervals of accuracy, UAR and macro-F1, drawing speakers with replacement.

    Args:
        by_speaker: counts, shape ``(speakers, classes, classes)``.
        seed: of the draws.
        resamples: number of draws.

    Returns:
        Score -> (low, high) at 95 %; empty with fewer than two speakers, where nothing can be drawn.

    References:
        Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.

    Examples:
        >>> same = np.tile(np.array([[3, 1], [1, 3]]), (12, 1, 1))
        >>> bootstrap_intervals(same)["uar"]
        (0.75, 0.75)
    """
    speakers, classes, _ = by_speaker.shape
    if speakers < 2:
        return {}
    rng = np.random.default_rng(seed)
    flat = by_speaker.reshape(speakers, -1).astype(np.float64)
    drawn: dict[str, list[Floats]] = {name: [] for name in SCORES}
    for start in range(0, resamples, _CHUNK):  # memory stays bounded with thousands of speakers
        size = min(_CHUNK, resamples - start)
        times = rng.multinomial(speakers, np.full(speakers, 1 / speakers), size)
        confusions = (times @ flat).reshape(size, classes, classes)
        for name, score in SCORES.items():
            drawn[name].append(score(confusions))
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    intervals = {name: np.quantile(np.concatenate(values), tails) for name, values in drawn.items()}
    return {name: (float(low), float(high)) for name, (low, high) in intervals.items()}


def describe_intervals(names: list[str], seed: int = 0) -> str:
    """Say in words how intervals were made, and what they are worth.

    Examples:
        >>> describe_intervals(["a-1"])
        'no interval: one speaker (a-1)'
    """
    if len(names) < 2:
        return f"no interval: one speaker ({names[0]})" if names else "no interval: no clips"
    text = f"95 % percentile bootstrap over {len(names)} speakers, {RESAMPLES} resamples, seed {seed}"
    if len(names) < FEW_SPEAKERS:
        text += (
            f"; fewer than {FEW_SPEAKERS} speakers ({', '.join(names)}): read the scores per speaker instead"
        )
    return text
