import math

import pytest
import torch

from ser_pipeline.losses import supervised_contrastive


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
