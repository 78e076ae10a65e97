import math

import pytest
import torch

from ser_pipeline.errors import LabelError
from ser_pipeline.labels import EMOTIONS
from ser_pipeline.losses import build_loss

FOUR = EMOTIONS[:4]


def test_cross_entropy_is_multiplied_by_the_distance_of_the_decision():
    logits = torch.tensor([[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0]])  # says sadness, happiness
    found = build_loss("distance_ce", FOUR).per_clip(logits, torch.tensor([0, 0]))
    ce = math.log(3 + math.e)  # anger's logit is 0
    assert found.tolist() == pytest.approx([0.6 * ce, 0.9 * ce])


def test_a_mistake_is_cheaper_than_a_hit_as_published():
    loss = build_loss("distance_ce", FOUR)
    hit = loss.per_clip(torch.tensor([[0.01, 0.0, 0.0, 0.0]]), torch.tensor([0]))
    miss = loss.per_clip(torch.tensor([[0.0, 0.0, 0.0, 0.01]]), torch.tensor([0]))
    assert miss < hit


def test_the_factor_is_a_constant_for_the_gradient():
    logits = torch.tensor([[0.2, 0.1, 0.0, 0.5]], requires_grad=True)
    build_loss("distance_ce", FOUR)(logits, torch.tensor([0])).backward()
    plain = logits.detach().clone().requires_grad_()
    build_loss("ce", FOUR)(plain, torch.tensor([0])).backward()
    assert torch.allclose(logits.grad, 0.6 * plain.grad)


def test_weights_and_smoothing_stay():
    options = {"class_weights": torch.tensor([2.0, 1.0, 1.0, 1.0]), "label_smoothing": 0.1}
    logits, target = torch.tensor([[1.0, 0.0, 0.0, 0.0]]), torch.tensor([0])
    found = build_loss("distance_ce", FOUR, **options)(logits, target)
    assert found.item() == pytest.approx(build_loss("ce", FOUR, **options)(logits, target).item())


def test_emotions_without_a_matrix_are_refused():
    with pytest.raises(LabelError, match="no distance matrix holds"):
        build_loss("distance_ce", ("anger", "boredom"))


def test_the_matrix_follows_the_order_of_the_classes():
    loss = build_loss("distance_ce", ("sadness", "anger"))
    assert loss.distances.tolist() == [pytest.approx([1.0, 0.6]), pytest.approx([0.6, 1.0])]


def test_a_distribution_has_the_mean_distance_of_its_classes():
    logits, soft = torch.tensor([[0.0, 0.0, 0.0, 1.0]]), torch.tensor([[0.5, 0.5, 0.0, 0.0]])
    found = build_loss("distance_ce", FOUR)(logits, torch.tensor([0]), soft=soft)
    assert found.item() == pytest.approx((0.6 + 0.8) / 2 * math.log(3 + math.e))  # anger, happiness
