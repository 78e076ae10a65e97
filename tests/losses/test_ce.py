import math

import pytest
import torch

from ser_pipeline.errors import SettingsError
from ser_pipeline.labels import EMOTIONS
from ser_pipeline.losses import LOSSES, build_loss

FOUR = EMOTIONS[:4]


def test_equal_logits_cost_the_logarithm_of_the_classes():
    loss = build_loss("ce", FOUR)
    assert loss(torch.zeros(3, 4), torch.tensor([0, 1, 3])).item() == pytest.approx(math.log(4))


def test_smoothing_and_weights_follow_the_formula():
    weights, s = torch.tensor([1.0, 2.0, 3.0, 4.0]), 0.1
    p = torch.tensor([0.7, 0.1, 0.15, 0.05])
    loss = build_loss("ce", FOUR, class_weights=weights, label_smoothing=s)
    expected = -(1 - s) * weights[1] * p[1].log() - s / 4 * (weights * p.log()).sum()
    assert loss(p.log()[None], torch.tensor([1])).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_mean_is_over_clips_and_not_over_weights():
    loss = build_loss("ce", FOUR, class_weights=torch.tensor([3.0, 1.0, 1.0, 1.0]))
    logits = torch.zeros(2, 4)
    assert loss(logits, torch.tensor([0, 1])).item() == pytest.approx(2 * math.log(4))


def test_losses_are_computed_in_fp32():
    loss = build_loss("ce", FOUR)
    assert loss.per_clip(torch.zeros(2, 4, dtype=torch.bfloat16), torch.tensor([0, 1])).dtype == torch.float32


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_right_and_sure_costs_nothing(name):
    loss = build_loss(name, FOUR)
    assert loss(torch.eye(4) * 50, torch.arange(4)).item() == pytest.approx(0, abs=1e-6)


def test_a_loss_that_does_not_exist_is_named():
    with pytest.raises(SettingsError, match="loss 'nope' does not exist; valid are ce, distance_ce"):
        build_loss("nope", FOUR)
