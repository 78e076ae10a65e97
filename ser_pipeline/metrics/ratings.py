"""Scores of ratings on a scale, and of probabilities against votes; both with intervals over speakers.

All of them are made of sums over clips, so that speakers can be drawn thousands of times at once.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float64s
from ser_pipeline.metrics.bootstrap import RESAMPLES, drawn_apart, percentile_interval

RATING_SUMS: Final = 7
"""Columns of :func:`rating_columns`."""

NOTHING: Final = 1e-12
"""Variances below this are what is left of a constant by rounding."""

LEAST_PROBABILITY: Final = 1e-7
"""One clip whose class a model rules out by mistake must not decide the mean over all of them."""

Scored = Mapping[str, Float64s]
"""Name -> a score of each set of sums."""


def speaker_sums(values: npt.ArrayLike, speakers: npt.ArrayLike) -> Float64s:
    """Add up columns by speaker, as :func:`ser_pipeline.metrics.bootstrap.drawn_apart` tells them apart.

    Args:
        values: shape ``(clips, columns)``.
        speakers: names, shape ``(clips,)``.

    Returns:
        Shape ``(drawn, columns)``.

    Examples:
        >>> speaker_sums([[1.0], [2.0], [4.0]], ["b", "a", "b"]).tolist()
        [[2.0], [5.0]]
    """
    columns = np.asarray(values, np.float64)
    _, place = drawn_apart(speakers)
    sums: Float64s = np.zeros((place.max(initial=-1) + 1, columns.shape[1]))
    np.add.at(sums, place, columns)
    return sums


def rating_columns(rated: npt.ArrayLike, predicted: npt.ArrayLike) -> Float64s:
    r"""What :func:`rating_scores` needs of each clip: 1, x, y, x^2, y^2, xy and \|x - y\|.

    Args:
        rated: by listeners, shape ``(clips,)``.
        predicted: shape ``(clips,)``.

    Returns:
        Shape ``(clips, 7)``.
    """
    x, y = np.asarray(rated, np.float64), np.asarray(predicted, np.float64)
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y, np.abs(x - y)], axis=1)


def rating_scores(sums: Float64s) -> Scored:
    """Concordance, Pearson's r, root mean square and mean absolute error, of sums of :func:`rating_columns`.

    ``CCC = 2 cov / (var x + var y + (mean x - mean y)^2)``, with moments divided by the number of clips.

    Args:
        sums: shape ``(..., 7)``.

    Returns:
        ``ccc`` and ``pearson`` in [-1, 1], NaN where nothing varies, and ``rmse`` and ``mae`` on the scale of
        the ratings; shape ``(...)`` each.

    References:
        Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 45, 1989.

    Examples:
        >>> sums = rating_columns([0.0, 1.0], [0.0, 0.5]).sum(0)
        >>> {name: round(float(value), 3) for name, value in rating_scores(sums).items()}
        {'ccc': 0.667, 'pearson': 1.0, 'rmse': 0.354, 'mae': 0.25}
    """
    clips = sums[..., 0]
    mean_x, mean_y, xx, yy, xy, apart = (sums[..., column] / clips for column in range(1, RATING_SUMS))
    var_x, var_y = np.maximum(xx - mean_x**2, 0), np.maximum(yy - mean_y**2, 0)
    covariance, away = xy - mean_x * mean_y, np.maximum(xx - 2 * xy + yy, 0)
    spread = var_x + var_y + (mean_x - mean_y) ** 2
    varied = (var_x > NOTHING) & (var_y > NOTHING)
    product = np.where(varied, np.sqrt(var_x * var_y), 0)
    return {
        "ccc": _ratio(2 * covariance, spread),
        "pearson": _ratio(covariance, product),
        "rmse": np.asarray(np.sqrt(away)),
        "mae": np.asarray(apart),
    }


def ccc(ratings: npt.ArrayLike, predicted: npt.ArrayLike) -> float | None:
    """Concordance correlation coefficient over rated clips, as :func:`rating_scores` computes it.

    Args:
        ratings: shape ``(clips,)``; NaN where a clip has none.
        predicted: shape ``(clips,)``.

    Returns:
        In [-1, 1]; None with fewer than two ratings, or where nothing varies at all.

    Examples:
        >>> round(ccc([1.0, 2.0, float("nan")], [0.0, 2.0, 5.0]), 3)
        0.667
    """
    x, y = np.asarray(ratings, np.float64), np.asarray(predicted, np.float64)
    rated = ~np.isnan(x)
    if rated.sum() < 2:
        return None
    found = float(rating_scores(rating_columns(x[rated], y[rated]).sum(0))["ccc"])
    return found if math.isfinite(found) else None


def mean_ccc(concordances: npt.ArrayLike) -> float | None:
    """Mean over the dimensions for which there is a concordance; None where there is none for any.

    Args:
        concordances: shape ``(dimensions,)``; NaN for none.

    Examples:
        >>> mean_ccc([0.5, float("nan"), 0.7]), mean_ccc([float("nan")])
        (0.6, None)
    """
    values = np.asarray(concordances, np.float64)
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _ratio(above: Float64s, below: Float64s) -> Float64s:
    ratio: Float64s = np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > NOTHING)
    return np.clip(ratio, -1, 1)


def vote_columns(votes: Float64s, probabilities: Float64s) -> Float64s:
    """What :func:`vote_scores` needs of each clip, shape ``(clips, 3)``.

    Args:
        votes: shares of the votes, shape ``(clips, classes)``; rows sum to 1.
        probabilities: as stated, shape ``(clips, classes)``; raised to :data:`LEAST_PROBABILITY`.
    """
    cross = -(votes * np.log(np.maximum(probabilities, LEAST_PROBABILITY))).sum(1)
    entropy = -(votes * np.log(votes, out=np.zeros_like(votes), where=votes > 0)).sum(1)
    return np.stack([np.ones(len(votes)), cross, cross - entropy], axis=1)


def vote_scores(sums: Float64s) -> Scored:
    """Cross-entropy of probabilities against votes, and their Kullback-Leibler divergence, in nats.

    Args:
        sums: of :func:`vote_columns`, shape ``(..., 3)``.

    Returns:
        ``cross_entropy`` and ``divergence``, means over clips, shape ``(...)`` each; the divergence is 0
        where the probabilities are the shares of the votes.

    Examples:
        >>> shares = np.array([[0.5, 0.5], [1.0, 0.0]])
        >>> found = vote_scores(vote_columns(shares, shares).sum(0))
        >>> round(float(found["cross_entropy"]), 3), float(found["divergence"])
        (0.347, 0.0)
    """
    clips, cross, away = (sums[..., column] for column in range(3))
    return {"cross_entropy": cross / clips, "divergence": away / clips}


def sum_intervals(
    sums: Float64s, score: Callable[[Float64s], Scored], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, tuple[float, float] | tuple[None, None]]:
    """Percentile intervals of scores of sums, drawing speakers with replacement.

    Args:
        sums: by speaker, shape ``(speakers, columns)``.
        score: from sums to scores.
        seed: of the draws.
        resamples: number of draws.

    Returns:
        Score -> (low, high) at 95 %; (None, None) with fewer than two speakers, or where a draw has no score.

    Examples:
        >>> same = np.tile(rating_columns([0.0, 1.0], [0.0, 0.5]).sum(0), (12, 1))
        >>> [round(end, 3) for end in sum_intervals(same, rating_scores)["ccc"]]
        [0.667, 0.667]
    """
    speakers = len(sums)
    if speakers < 2:
        return dict.fromkeys(score(sums.sum(0)), (None, None))
    rng = np.random.default_rng(seed)
    times = rng.multinomial(speakers, np.full(speakers, 1 / speakers), resamples)
    return {
        name: percentile_interval(draws if np.isfinite(draws).all() else None)
        for name, draws in score(times @ sums).items()
    }
