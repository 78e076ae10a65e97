import pytest
import torch

from ser_pipeline.datasets.augment import random_crop
from ser_pipeline.options import RandomCrop

LENGTHS = torch.tensor([40, 17, 3, 1])


def clips(batch=1):
    """Each cell says which frame of its clip it is; padding is -1."""
    frame = torch.arange(40.0).expand(4 * batch, 2, 40).clone()
    beyond = torch.arange(40) >= LENGTHS.repeat(batch)[:, None]
    return frame.masked_fill(beyond[:, None], -1)


def cropped(seed=0, share=0.5, batch=1):
    generator = torch.Generator().manual_seed(seed)
    return random_crop(clips(batch), LENGTHS.repeat(batch), RandomCrop(share=share), generator)


def test_what_is_kept_is_one_stretch_of_the_clip():
    mels, lengths = cropped(batch=100)
    for clip, length, before in zip(mels, lengths.tolist(), LENGTHS.repeat(100).tolist(), strict=True):
        start = int(clip[0, 0])
        assert clip[:, :length].tolist() == [[float(start + i) for i in range(length)]] * 2
        assert start + length <= before
        assert (clip[:, length:] == -1).all()


def test_lengths_and_places_are_drawn_evenly():
    mels, lengths = cropped(batch=2000)
    kept, start = lengths[::4], mels[::4, 0, 0]  # the clips of 40 frames
    assert (kept.min().item(), kept.max().item()) == (20, 40)
    assert kept.float().mean().item() == pytest.approx(30, abs=0.5)
    assert (start == (40 - kept)).any()
    assert start.mean().item() == pytest.approx(5, abs=0.4)  # half of what is left on average
    assert (lengths[3::4] == 1).all()


def test_a_share_of_one_keeps_everything():
    mels, lengths = cropped(share=1.0)
    assert torch.equal(mels, clips())
    assert torch.equal(lengths, LENGTHS)


def test_the_same_seed_draws_the_same_stretches():
    assert torch.equal(cropped(1, batch=8)[0], cropped(1, batch=8)[0])
    assert not torch.equal(cropped(1, batch=8)[0], cropped(2, batch=8)[0])
