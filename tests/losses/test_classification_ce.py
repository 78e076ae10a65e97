import inspect
import math

import pytest
import torch

from ser_pipeline.labels import EMOTIONS
from ser_pipeline.losses import build_loss, loss_class
from ser_pipeline.options import LOSSES, TrainOptions

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


def test_soft_targets_and_clip_weights_follow_the_formula():
    weights, s = torch.tensor([1.0, 2.0, 3.0, 4.0]), 0.1
    p, soft = torch.tensor([0.7, 0.1, 0.15, 0.05]), torch.tensor([0.5, 0.0, 0.25, 0.25])
    loss = build_loss("ce", FOUR, class_weights=weights, label_smoothing=s)
    clip = {"soft": soft[None], "weights": torch.tensor([1.5])}
    expected = -1.5 * (((1 - s) * soft + s / 4) * weights * p.log()).sum()
    assert loss(p.log()[None], torch.tensor([0]), **clip).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_sure_distribution_costs_what_its_class_costs(name):
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(9, 4, generator=generator), torch.arange(9) % 4
    weights = torch.tensor([0.5, 1.0, 1.5, 1.0])
    loss = build_loss(name, FOUR, class_weights=weights, label_smoothing=0.1)
    hard = loss.per_clip(logits, targets)
    soft = loss.per_clip(logits, torch.zeros_like(targets), soft=torch.eye(4)[targets])
    assert torch.allclose(hard, soft, atol=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_clip_weights_multiply_and_losses_are_fp32(name):
    loss, logits = build_loss(name, FOUR), torch.tensor([[0.5, 0.0, -0.5, 1.0]], dtype=torch.bfloat16)
    plain = loss.per_clip(logits, torch.tensor([0]))
    assert plain.dtype == torch.float32
    assert plain.item() > 0.1
    doubled = loss.per_clip(logits, torch.tensor([0]), weights=torch.tensor([2.0]))
    assert doubled.item() == pytest.approx(2 * plain.item())


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_gradients_are_finite_however_sure_the_network_is(name):
    logits = (torch.eye(4) * 200).requires_grad_()
    declared = {"focal_gamma": 0.5} if name == "focal" else {}
    loss = build_loss(name, FOUR, label_smoothing=0.1, **declared)
    loss(logits, torch.tensor([0, 1, 0, 1])).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[2:].abs().sum() > 0


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_a_loss_declares_what_it_reads(name):
    own = set(inspect.signature(loss_class(name)).parameters) - {
        "emotions", "class_weights", "label_smoothing",
    }  # fmt: skip
    assert own == set(LOSSES[name].options) <= TrainOptions.model_fields.keys()
    changed = dict.fromkeys(own, 3.5)
    made = [
        build_loss(name, FOUR, **more)(torch.eye(4), torch.tensor([0, 0, 1, 1])) for more in ({}, changed)
    ]
    assert (made[0] == made[1]) == (not own)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_right_and_sure_costs_nothing(name):
    loss = build_loss(name, FOUR)
    assert loss(torch.eye(4) * 50, torch.arange(4)).item() == pytest.approx(0, abs=1e-6)
