import math

import pytest
import torch

from ser_pipeline.settings import TrainOptions
from ser_pipeline.training.schedule import rate_factor


def test_equals_torchs_warm_restarts_after_the_warm_up():
    options = TrainOptions(warmup_epochs=0, restart_epochs=10, restart_factor=2, learning_rate=0.5)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    reference = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)
    for step in range(4 * 75):
        reference.step(step / 4)
        assert rate_factor(step, 4, options) * 0.5 == pytest.approx(optimizer.param_groups[0]["lr"])


def test_the_warm_up_rises_in_equal_steps_to_the_peak():
    options = TrainOptions(warmup_epochs=2)
    assert [rate_factor(step, 3, options) for step in range(7)] == pytest.approx(
        [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1]
    )


def test_cycles_without_growth_repeat():
    options = TrainOptions(warmup_epochs=1, restart_epochs=3, restart_factor=1)
    cycle = [rate_factor(step, 2, options) for step in range(2, 8)]
    assert [rate_factor(step, 2, options) for step in range(8, 14)] == cycle
    assert cycle[3] == pytest.approx(0.5)
    assert cycle[-1] == pytest.approx((1 + math.cos(math.pi * 5 / 6)) / 2)
