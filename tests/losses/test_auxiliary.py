import math

import numpy as np
import pytest
import torch

from ser_pipeline.losses import ccc_loss, cosine_distance, supervised_contrastive
from ser_pipeline.metrics import ccc

NAN = float("nan")


def rated(rng, clips=30):
    """Ratings as of a corpus like IEMOCAP beside others that rate nothing: three dimensions, gaps."""
    ratings = torch.tensor(rng.uniform(-1, 1, (clips, 3)), dtype=torch.float32)
    ratings[rng.random(clips) < 0.5] = NAN
    ratings[:4] = torch.tensor(rng.uniform(-1, 1, (4, 3)))
    return torch.tensor(rng.normal(0, 0.5, (clips, 3)), dtype=torch.float32), ratings


def test_equals_the_metric_over_rated_clips(rng):
    predicted, ratings = rated(rng)
    expected = np.mean([1 - ccc(ratings[:, d], predicted[:, d]) for d in range(3)])
    assert ccc_loss(predicted, ratings).item() == pytest.approx(expected, rel=1e-5)


def test_the_formula_by_hand():
    predicted, ratings = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [2.0]])
    # means 1 and 1.5, variances 1 and 0.25, covariance 0.5
    assert ccc_loss(predicted, ratings).item() == pytest.approx(1 - 2 * 0.5 / (1 + 0.25 + 0.25))


def test_agreement_costs_nothing_and_the_opposite_costs_two():
    ratings = torch.tensor([[-0.5], [0.5], [NAN]])
    assert ccc_loss(torch.tensor([[-0.5], [0.5], [9.0]]), ratings).item() == pytest.approx(0, abs=1e-6)
    assert ccc_loss(torch.tensor([[0.5], [-0.5], [9.0]]), ratings).item() == pytest.approx(2, abs=1e-6)


def test_clips_without_a_rating_have_no_gradient(rng):
    predicted, ratings = rated(rng)
    predicted.requires_grad_()
    ccc_loss(predicted, ratings).backward()
    missing = ratings.isnan()
    assert missing.any()
    assert (predicted.grad[missing] == 0).all()
    assert (predicted.grad[~missing] != 0).all()


def test_a_dimension_with_one_rating_is_left_out():
    predicted = torch.tensor([[0.1, 0.3], [0.4, -0.2], [0.9, 0.0]], requires_grad=True)
    ratings = torch.tensor([[0.0, 0.5], [0.5, NAN], [0.8, NAN]])
    loss = ccc_loss(predicted, ratings)
    loss.backward()
    assert loss.item() == pytest.approx(ccc_loss(predicted[:, :1], ratings[:, :1]).item())
    assert (predicted.grad[:, 1] == 0).all()


@pytest.mark.parametrize("clips", [0, 4])
def test_without_ratings_it_is_zero_and_can_be_trained_on(clips):
    predicted = torch.zeros(clips, 3, requires_grad=True)
    loss = ccc_loss(predicted, torch.full((clips, 3), NAN))
    loss.backward()
    assert loss.item() == 0
    assert (predicted.grad == 0).all()


def by_two_loops(embeddings, targets, temperature):
    z = [row / row.norm() for row in embeddings]
    costs = []
    for i, own in enumerate(targets):
        others = [a for a in range(len(z)) if a != i]
        partners = [p for p in others if targets[p] == own]
        if not partners:
            continue
        total = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in others)
        shares = [math.log(math.exp(float(z[i] @ z[p]) / temperature) / total) for p in partners]
        costs.append(-sum(shares) / len(partners))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_equals_two_plain_loops(temperature):
    embeddings = torch.randn(12, 5, generator=torch.Generator().manual_seed(1))
    targets = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 3, 1])  # clip 10 has no partner
    found = supervised_contrastive(embeddings, targets, temperature=temperature)
    assert found.item() == pytest.approx(by_two_loops(embeddings, targets, temperature), rel=1e-5)


def test_equal_clips_cost_the_logarithm_of_the_others():
    assert supervised_contrastive(torch.ones(5, 3), torch.zeros(5)).item() == pytest.approx(math.log(4))


def test_length_does_not_matter():
    embeddings, targets = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)), torch.arange(6) % 2
    scaled = embeddings * torch.tensor([1.0, 2, 3, 4, 5, 6])[:, None]
    found = supervised_contrastive(scaled, targets)
    assert found.item() == pytest.approx(supervised_contrastive(embeddings, targets).item(), rel=1e-5)


def margin(embeddings, targets):
    """Least likeness within a class, less the greatest between classes."""
    z = torch.nn.functional.normalize(embeddings.detach(), dim=1)
    same = targets[:, None] == targets[None, :]
    return ((z @ z.T)[same].min() - (z @ z.T)[~same].max()).item()


def test_it_pulls_classes_apart():
    embeddings = torch.randn(20, 6, generator=torch.Generator().manual_seed(4)).requires_grad_()
    targets = torch.arange(20) % 4
    assert margin(embeddings, targets) < -1
    optimizer = torch.optim.Adam([embeddings], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        supervised_contrastive(embeddings, targets).backward()
        optimizer.step()
    assert margin(embeddings, targets) > 0.2


@pytest.mark.parametrize("targets", [[0], [0, 1, 2]])
def test_without_partners_it_is_zero_and_so_are_its_gradients(targets):
    embeddings = torch.randn(len(targets), 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = supervised_contrastive(embeddings, torch.tensor(targets))
    loss.backward()
    assert loss.item() == 0
    assert (embeddings.grad == 0).all()


def test_cosine_distance_is_the_mean_over_clips_that_have_a_wanted_vector(rng):
    own = rng.standard_normal((4, 5)).astype(np.float32)
    wanted = rng.standard_normal((4, 5)).astype(np.float32)
    wanted[2, 1] = np.nan
    kept = [0, 1, 3]
    alike = (own * wanted).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(wanted, axis=1)
    projected = torch.tensor(own, requires_grad=True)
    found = cosine_distance(projected, torch.tensor(wanted))
    assert found.item() == pytest.approx(1 - alike[kept].mean(), abs=1e-6)
    found.backward()
    assert projected.grad[2].abs().sum() == 0
    assert projected.grad.isfinite().all()


def test_without_any_wanted_vector_there_is_no_distance():
    assert cosine_distance(torch.ones(2, 3), torch.full((2, 3), torch.nan)).item() == 0
