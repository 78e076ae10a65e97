import pytest
import torch

from ser_pipeline.datasets.augment import random_gain
from ser_pipeline.errors import SettingsError
from ser_pipeline.options import FrontEnd, RandomGain

LENGTHS = torch.tensor([9, 4, 1])


def louder(mels, low=-6.0, high=6.0, seed=0, lengths=LENGTHS, **front_end):
    generator = torch.Generator().manual_seed(seed)
    options = RandomGain(gain_db=(low, high))
    return random_gain(mels, lengths, options, generator, front_end=FrontEnd(**front_end))


def test_a_gain_in_db_is_an_addition_on_the_scale():
    # 120 dB span two units, so 6 dB are 0.1
    found = louder(torch.zeros(3, 2, 9), 6.0, 6.0)
    assert found[0].tolist() == [pytest.approx([0.1] * 9)] * 2
    wide = louder(torch.zeros(3, 2, 9), 6.0, 6.0, floor_db=-20.0, ceiling_db=40.0)
    assert wide[0, 0, 0].item() == pytest.approx(0.2)


def test_padding_stays_and_so_does_the_input():
    mels = torch.full((3, 2, 9), -1.0)
    found = louder(mels, 6.0, 6.0)
    beyond = (torch.arange(9) >= LENGTHS[:, None])[:, None].expand_as(mels)
    assert (found[beyond] == -1).all()
    assert (found[~beyond] > -1).all()
    assert (mels == -1).all()


def test_nothing_falls_below_the_floor():
    mels = torch.tensor([[[-0.98, 0.5]]])
    found = louder(mels, -6.0, -6.0, lengths=torch.tensor([2]))
    assert found.tolist() == [[pytest.approx([-1.0, 0.4])]]


def test_gains_are_drawn_evenly_one_for_each_clip():
    found = louder(torch.zeros(2000, 2, 3), -6.0, 3.0, lengths=torch.full((2000,), 3))
    gain_db = found[:, 0, 0] * 60
    assert torch.equal(found, found[:, :1, :1].expand_as(found))
    assert -6 <= gain_db.min() < -5.9
    assert 2.9 < gain_db.max() <= 3
    assert gain_db.mean().item() == pytest.approx(-1.5, abs=0.2)


def test_the_same_seed_draws_the_same_gains():
    mels = torch.zeros(3, 2, 9)
    assert torch.equal(louder(mels, seed=1), louder(mels, seed=1))
    assert not torch.equal(louder(mels, seed=1), louder(mels, seed=2))


def test_mels_without_a_fixed_scale_are_refused():
    with pytest.raises(SettingsError, match=r"needs front_end\.scale fixed, found clip_minmax"):
        louder(torch.zeros(3, 2, 9), scale="clip_minmax")
