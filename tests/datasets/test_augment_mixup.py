import pytest
import torch
from scipy.stats import beta

from ser_pipeline.datasets.augment import Mixing, draw_mixing, mix_mels, mix_rows
from ser_pipeline.options import Mixup

LENGTHS = torch.tensor([5, 3, 8, 2])
MIXING = Mixing(torch.tensor([1, 2, 0, 3]), torch.tensor([0.75, 0.5, 0.9, 0.6]))


def clips(padding=-1.0):
    mels = torch.rand(4, 6, 10, generator=torch.Generator().manual_seed(0))
    beyond = torch.arange(10) >= LENGTHS[:, None]
    return mels.masked_fill(beyond[:, None], padding)


def drawn(seed, batch=64, alpha=0.2):
    return draw_mixing(batch, Mixup(alpha=alpha), torch.Generator().manual_seed(seed))


def test_each_cell_is_the_weighted_mean_of_both_clips():
    mels = clips()
    mixed, _ = mix_mels(mels, LENGTHS, MIXING)
    assert torch.allclose(mixed[0, :, :3], 0.75 * mels[0, :, :3] + 0.25 * mels[1, :, :3])
    assert torch.allclose(mixed[3], mels[3])


def test_the_longer_clip_gives_the_length_and_the_shorter_is_silent_beyond_its_end():
    mels = clips(padding=7.0)  # what stands in the padding must not be heard
    mixed, lengths = mix_mels(mels, LENGTHS, MIXING)
    assert lengths.tolist() == [5, 8, 8, 2]
    assert torch.allclose(mixed[0, :, 3:5], 0.75 * mels[0, :, 3:5] - 0.25)
    assert torch.allclose(mixed[1, :, 3:8], -0.5 + 0.5 * mels[2, :, 3:8])


def test_padding_and_input_are_left_as_they_are():
    mels = clips(padding=7.0)
    mixed, lengths = mix_mels(mels, LENGTHS, MIXING)
    beyond = (torch.arange(10) >= lengths[:, None])[:, None].expand_as(mixed)
    assert beyond.any()
    assert (mixed[beyond] == 7).all()
    assert torch.equal(mels, clips(padding=7.0))


def test_targets_become_distributions():
    mixed = mix_rows(torch.eye(4)[[0, 1, 1, 2]], MIXING)
    assert mixed[0].tolist() == [0.75, 0.25, 0, 0]
    assert mixed[1].tolist() == [0, 1, 0, 0]
    assert torch.allclose(mixed.sum(1), torch.ones(4))
    assert mix_rows(torch.tensor([2.0, 1.0, 1.0, 3.0]), MIXING).tolist() == pytest.approx([1.75, 1, 1.1, 3])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_the_larger_parts_of_a_beta_draw(alpha):
    share, whole = drawn(0, 4000, alpha).share, beta(alpha, alpha)
    assert share.min() >= 0.5
    for most in (0.55, 0.7, 0.9, 0.99):
        expected = whole.cdf(most) - whole.cdf(1 - most)
        assert (share <= most).float().mean().item() == pytest.approx(expected, abs=0.025)


def test_every_clip_is_the_partner_of_one():
    assert drawn(3).partner.sort().values.tolist() == list(range(64))


def test_the_same_seed_draws_the_same_mixtures():
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert torch.equal(first.share, again.share)
    assert torch.equal(first.partner, again.partner)
    assert not torch.equal(first.share, other.share)
    assert not torch.equal(first.partner, other.partner)
