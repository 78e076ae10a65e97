import pytest
import torch

from ser_pipeline.errors import LabelError
from ser_pipeline.labels import EMOTIONS, distance_matrix
from ser_pipeline.losses import build_loss

FOUR = EMOTIONS[:4]
STEP = 1e-4


def cost(probabilities, target, **options):
    loss = build_loss("expected_distance", FOUR, **options)
    return loss.per_clip(probabilities.log()[None], torch.tensor([target])).item()


def moved(probabilities, source, target):
    """The same with a little probability moved from one class to another."""
    step = torch.zeros(4, dtype=torch.float64)
    step[source], step[target] = -STEP, STEP
    return probabilities + step


def distributions(count, least=1e-3):
    generator = torch.Generator().manual_seed(3)
    drawn = -(torch.rand(count, 4, generator=generator, dtype=torch.float64).log() ** 3)
    return (drawn / drawn.sum(1, keepdim=True)).clamp(min=least)


def test_the_formula():
    p = torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64)
    expected = -p[0].log() + 0.7 * (0.2 * 0.9 + 0.2 * 0.7 + 0.1 * 0.6)
    assert cost(p, 0, distance_weight=0.7) == pytest.approx(expected.item(), rel=1e-5)


def test_class_weights_hold_for_both_terms():
    p, weights = torch.tensor([0.5, 0.2, 0.2, 0.1]), torch.tensor([3.0, 1.0, 1.0, 1.0])
    assert cost(p, 0, class_weights=weights) == pytest.approx(3 * cost(p, 0), rel=1e-5)


def test_distant_mistakes_cost_more():
    far, near = torch.tensor([0.4, 0.5, 0.05, 0.05]), torch.tensor([0.4, 0.05, 0.05, 0.5])
    assert cost(far, 0) > cost(near, 0)  # anger taken for happiness, 0.9, and for sadness, 0.6
    assert cost(far, 0, distance_weight=0.0) == pytest.approx(cost(near, 0, distance_weight=0.0))


@pytest.mark.parametrize("target", range(4))
def test_probability_moved_to_the_true_class_always_lowers_it(target):
    for p in distributions(50):
        before = cost(p, target)
        for wrong in set(range(4)) - {target}:
            assert cost(moved(p, wrong, target), target) < before


@pytest.mark.parametrize("target", range(4))
def test_with_smoothing_so_it_does_up_to_the_ratio_that_is_stated(target):
    smoothing, checked = 0.1, 0
    most = 4 * (1 - smoothing) / smoothing + 1
    for p in distributions(80):
        before = cost(p, target, label_smoothing=smoothing)
        for wrong in set(range(4)) - {target}:
            after = moved(p, wrong, target)
            if after[target] / after[wrong] < most:  # the ratio grows on the way
                assert cost(after, target, label_smoothing=smoothing) < before
                checked += 1
    assert checked > 60


def test_with_smoothing_certainty_beyond_it_costs_again():
    sure = torch.tensor([1 - 3e-4, 1e-4, 1e-4, 1e-4], dtype=torch.float64)
    surer = torch.tensor([1 - 2.5e-4, 5e-5, 1e-4, 1e-4], dtype=torch.float64)
    assert cost(surer, 0, label_smoothing=0.1) > cost(sure, 0, label_smoothing=0.1)
    assert cost(surer, 0) < cost(sure, 0)


def test_a_distribution_has_the_mean_penalty_of_its_classes():
    logits = torch.tensor([[0.3, -0.2, 0.1, 0.6]])
    soft = torch.tensor([[0.25, 0.75, 0.0, 0.0]])
    distances = torch.tensor(distance_matrix(FOUR)).fill_diagonal_(0)
    found = build_loss("expected_distance", FOUR)(logits, torch.tensor([0]), soft=soft)
    expected = -(soft * logits.log_softmax(1)).sum() + (soft @ distances @ logits.softmax(1).T).sum()
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_it_is_continuous_where_decisions_change():
    below, above = torch.tensor([0.3, 0.3001, 0.2, 0.1999]), torch.tensor([0.3001, 0.3, 0.2, 0.1999])
    assert cost(below, 2) == pytest.approx(cost(above, 2), abs=1e-3)


def test_emotions_without_a_matrix_are_refused():
    with pytest.raises(LabelError, match="no distance matrix holds"):
        build_loss("expected_distance", ("anger", "boredom"))
