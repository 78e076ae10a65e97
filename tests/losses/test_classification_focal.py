import pytest
import torch

from ser_pipeline.labels import EMOTIONS
from ser_pipeline.losses import build_loss

FOUR = EMOTIONS[:4]
P = torch.tensor([0.7, 0.1, 0.15, 0.05])


def test_the_published_formula():
    found = build_loss("focal", FOUR, focal_gamma=2.0)(P.log()[None], torch.tensor([0]))
    assert found.item() == pytest.approx(-(0.3**2) * P[0].log().item(), rel=1e-5)


def test_smoothing_and_weights_follow_the_formula():
    weights, s = torch.tensor([1.0, 2.0, 3.0, 4.0]), 0.1
    loss = build_loss("focal", FOUR, class_weights=weights, label_smoothing=s, focal_gamma=1.5)
    wanted = torch.full((4,), s / 4)
    wanted[2] += 1 - s
    expected = -(wanted * weights * (1 - P) ** 1.5 * P.log()).sum()
    assert loss(P.log()[None], torch.tensor([2])).item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_gamma_it_is_cross_entropy():
    options = {"class_weights": torch.tensor([2.0, 1.0, 0.5, 1.0]), "label_smoothing": 0.1}
    logits, targets = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 4
    focal = build_loss("focal", FOUR, focal_gamma=0.0, **options).per_clip(logits, targets)
    assert torch.allclose(focal, build_loss("ce", FOUR, **options).per_clip(logits, targets), atol=1e-6)


def test_the_surer_the_smaller_its_share_of_cross_entropy():
    sure = torch.tensor([0.2, 0.4, 0.6, 0.8, 0.95])
    rest = (1 - sure[:, None]) / 3
    logits = torch.cat([sure[:, None], rest.expand(-1, 3)], 1).log()
    targets = torch.zeros(5, dtype=torch.int64)
    share = build_loss("focal", FOUR).per_clip(logits, targets) / build_loss("ce", FOUR).per_clip(
        logits, targets
    )
    assert (share.diff() < 0).all()
