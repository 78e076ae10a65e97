"""A running mean of a network's weights: less noise than the weights of any one step."""

from typing import Final

import torch

from ser_pipeline.models import Network

_EARLY: Final = 10
"""While there are few steps the mean forgets faster, so that fresh weights do not stay in it."""


def average_into(mean: Network, network: Network, *, step: int, averaging: float) -> None:
    """Move a mean of weights towards the weights of a step, in place.

    The mean keeps ``min(averaging, step / (step + 9))`` of itself; with that its first value is
    the first step's weights. Running statistics of batch norms are averaged alike, counters copied.

    Args:
        mean: network of the same shape.
        network: after the step.
        step: number of the step, counted from 0.
        averaging: share that the mean keeps, below 1.

    References:
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control
        and Optimization 30, 1992; as a running mean in Tarvainen and Valpola, "Mean teachers are better
        role models", NeurIPS 2017.
    """
    kept = min(averaging, step / (step + _EARLY - 1))
    with torch.no_grad():
        for old, new in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
            if old.is_floating_point():
                old.lerp_(new, 1 - kept)
            else:
                old.copy_(new)
