"""How much each of several models should count where their probabilities are averaged."""

from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float64s

PULL_CLIPS: Final = 20.0
"""Clips that speak for equal weights beside those given: few clips say little about which model is better."""

_ROUNDS: Final = 1000
_STEP: Final = 1e-9
_LEAST: Final = 1e-12


def mixture_weights(probabilities: npt.ArrayLike, targets: npt.ArrayLike) -> Float64s:
    """Weights under which the average of several models' probabilities gives the true classes most.

    The mean log probability of the true class is greatest, classes counting alike, with
    :data:`PULL_CLIPS` clips that speak for equal weights. It has one maximum, which expectation
    maximisation climbs to.

    Args:
        probabilities: of each model, shape ``(models, clips, classes)``, rows sum to 1.
        targets: class numbers, shape ``(clips,)``.

    Returns:
        Shape ``(models,)``, none below 0, sum 1; equal without clips.

    References:
        Dempster, Laird and Rubin, "Maximum Likelihood from Incomplete Data via the EM Algorithm", JRSS B
        1977, with a Dirichlet prior on the weights.

    Examples:
        >>> mixture_weights([[[0.9, 0.1]] * 50, [[0.5, 0.5]] * 50], [0] * 50).round(2)
        array([0.74, 0.26])
    """
    said, classes = np.asarray(probabilities, np.float64), np.asarray(targets, np.int64)
    models, clips = said.shape[:2]
    weights = np.full(models, 1 / models)
    if not clips:
        return weights
    likely = np.maximum(said[:, np.arange(clips), classes], _LEAST)
    counts = np.bincount(classes)
    counted = clips / (np.count_nonzero(counts) * counts[classes])
    for _ in range(_ROUNDS):
        shares = weights[:, None] * likely
        better = (shares / shares.sum(0)) @ counted + PULL_CLIPS / models
        better /= better.sum()
        done = np.abs(better - weights).max() < _STEP
        weights = better
        if done:
            break
    return weights
