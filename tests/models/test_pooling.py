import numpy as np
import pytest
import torch

from ser_pipeline.models.pooling import attention_layer, step_weights, weighted_mean, weighted_statistics


def states(batch=3, steps=5, width=4):
    return torch.randn(batch, steps, width, generator=torch.Generator().manual_seed(0))


def test_statistics_equal_numpys_weighted_ones():
    x, weights = states(), torch.rand(3, 5, generator=torch.Generator().manual_seed(1)).softmax(1)
    found = weighted_statistics(x, weights)
    for clip, w, pair in zip(x.numpy(), weights.numpy(), found.numpy(), strict=True):
        mean = np.average(clip, axis=0, weights=w)
        deviation = np.sqrt(np.average((clip - mean) ** 2, axis=0, weights=w))
        assert pair == pytest.approx(np.concatenate([mean, deviation]), rel=1e-4)


def test_equal_weights_give_the_plain_mean_and_deviation_of_valid_steps():
    x, counts = states(), torch.tensor([5, 2, 1])
    weights = step_weights(None, x, counts)
    assert torch.allclose(weighted_mean(x, weights)[1], x[1, :2].mean(0))
    found = weighted_statistics(x, weights)
    assert torch.allclose(found[0, 4:], x[0].std(0, correction=0), atol=1e-6)
    assert (found[2, 4:] < 0.01).all()  # one step has no deviation


def test_one_step_has_a_finite_gradient():
    x = states(1, 1).requires_grad_()
    weighted_statistics(x, torch.ones(1, 1)).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_weights_sum_to_one_over_valid_steps():
    torch.manual_seed(0)
    weights = step_weights(attention_layer(4), states(), torch.tensor([5, 2, 1]))
    assert torch.allclose(weights.sum(1), torch.ones(3))
    assert (weights[1, 2:] == 0).all()
    assert weights[2].tolist() == [1, 0, 0, 0, 0]
    assert weights[0].std() > 1e-3
