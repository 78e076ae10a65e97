import pytest
import torch

from ser_pipeline.datasets.augment import spec_augment
from ser_pipeline.options import SpecAugment

DEFAULT = SpecAugment()
LENGTHS = torch.tensor([173, 60, 12, 1])


def masked(seed=0, options=DEFAULT, batch=1, value=-1.0):
    mels, lengths = torch.zeros(4 * batch, 96, 173), LENGTHS.repeat(batch)
    generator = torch.Generator().manual_seed(seed)
    return spec_augment(mels, lengths, options, generator, value=value), lengths


def test_masks_lie_over_valid_frames_only():
    found, lengths = masked(batch=50)
    padding = torch.arange(173) >= lengths[:, None]
    assert (found.transpose(1, 2)[padding] == 0).all()
    assert (found == -1).any()


def test_masks_can_be_filled_with_each_bands_mean():
    mels = torch.rand(4, 96, 173, generator=torch.Generator().manual_seed(3))
    filled, blank = (
        spec_augment(mels, LENGTHS, SpecAugment(fill=fill), torch.Generator().manual_seed(4), value=-9.0)
        for fill in ("mean", "silence")
    )
    masked = blank == -9
    assert masked[0].any()
    assert torch.equal(filled[~masked], mels[~masked])
    for clip, where, before, length in zip(filled, masked, mels, LENGTHS.tolist(), strict=True):
        mean = before[:, :length].mean(1)[:, None].expand(96, 173)
        assert torch.allclose(clip[where], mean[where], atol=1e-6)


def test_the_same_seed_draws_the_same_masks():
    assert torch.equal(masked(seed=1)[0], masked(seed=1)[0])
    assert not torch.equal(masked(seed=1)[0], masked(seed=2)[0])


def test_input_is_left_as_it_is():
    mels = torch.zeros(1, 96, 173)
    spec_augment(mels, torch.tensor([173]), SpecAugment(), torch.Generator().manual_seed(0))
    assert (mels == 0).all()


def test_widths_and_places_are_drawn_evenly():
    options = SpecAugment(frequency_masks=1, frequency_width=9, time_masks=0)
    found, _ = masked(options=options, batch=1000, value=1.0)
    bands = found[::4, :, 0]  # the clips of full length, (clips, bands)
    widths = bands.sum(1)
    assert widths.max() == 9
    assert widths.mean().item() == pytest.approx(4.5, abs=0.3)
    assert (bands.diff(dim=1).abs().sum(1) <= 2).all()  # one stretch each
    reach = bands.mean(0)
    assert reach[[0, -1]].min() > 0
    assert reach[20:76].mean().item() == pytest.approx(4.5 / 96, rel=0.25)


def test_time_masks_fit_into_short_clips():
    options = SpecAugment(frequency_masks=0, time_masks=1, time_width=19)
    found, _ = masked(options=options, batch=1000, value=1.0)
    frames = found[2::4, 0]  # clips of 12 frames
    assert frames.sum(1).max() == 12
    assert frames[:, :12].mean().item() == pytest.approx(0.5, abs=0.03)


def test_no_masks_change_nothing():
    assert (masked(options=SpecAugment(frequency_masks=0, time_masks=0))[0] == 0).all()
    assert (masked(options=SpecAugment(frequency_width=0, time_width=0))[0] == 0).all()
