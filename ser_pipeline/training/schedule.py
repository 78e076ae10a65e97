"""The learning rate: a linear rise, then cosines that start over."""

import math

from ser_pipeline.settings import TrainOptions


def rate_factor(step: int, steps_per_epoch: int, options: TrainOptions) -> float:
    """Share of the peak learning rate for one optimizer step.

    The rate moves with every step, not once an epoch. Over the warm-up it rises linearly and
    reaches 1 with the warm-up's last step. Then each cycle falls from 1 towards 0 as half a cosine,
    the first over ``restart_epochs`` and each further one ``restart_factor`` times as long.

    Args:
        step: number of the step, counted from 0.
        steps_per_epoch: batches of an epoch.
        options: ``warmup_epochs``, ``restart_epochs`` and ``restart_factor``.

    References:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.

    Examples:
        >>> options = TrainOptions(warmup_epochs=2, restart_epochs=10, restart_factor=2)
        >>> [round(rate_factor(step, 1, options), 3) for step in (0, 1, 2, 7, 12, 22, 32)]
        [0.5, 1.0, 1.0, 0.5, 1.0, 0.5, 1.0]
    """
    warmup = options.warmup_epochs * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    if options.restart_epochs is None:
        return 1.0
    place, length = step - warmup, options.restart_epochs * steps_per_epoch
    while place >= length:
        place, length = place - length, length * options.restart_factor
    return (1 + math.cos(math.pi * place / length)) / 2
