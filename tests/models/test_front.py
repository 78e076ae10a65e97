from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from ser_pipeline.models.front import masked_steps, plain_steps, upright, valid_frames


def blocks(sizes=(1, 3, 4)):
    torch.manual_seed(0)
    pairs = list(pairwise(sizes))
    convolutions = nn.ModuleList(nn.Conv2d(into, out, 3, padding=1) for into, out in pairs)
    return convolutions, nn.ModuleList(nn.BatchNorm2d(out) for _, out in pairs).eval()


def test_plain_steps_are_convolution_norm_relu_pool():
    convolutions, norms = blocks()
    mels = torch.randn(2, 8, 12)
    x = mels.transpose(1, 2)[:, None]
    for convolution, norm in zip(convolutions, norms, strict=True):
        x = F.max_pool2d(F.relu(norm(convolution(x))), 2)
    assert torch.allclose(plain_steps(convolutions, norms, mels), x.permute(0, 2, 3, 1).flatten(2), atol=1e-6)


def test_masked_steps_of_a_clip_are_its_plain_ones_and_zero_beyond():
    convolutions, norms = blocks()
    mels, lengths = torch.randn(3, 8, 30), torch.tensor([30, 13, 4])
    steps, counts = masked_steps(convolutions, norms, mels, lengths)
    assert counts.tolist() == [7, 3, 1]
    for clip, length, count, found in zip(mels, lengths, counts, steps, strict=True):
        alone = plain_steps(convolutions, norms, clip[None, :, :length])
        assert torch.allclose(found[:count], alone[0], atol=1e-6)
        assert (found[count:] == 0).all()


def test_valid_frames_are_columns_of_the_mels():
    mels = torch.arange(24.0).view(2, 3, 4)
    rows = valid_frames(mels, torch.tensor([0, 1, 6]))
    assert rows[:, :, 0].tolist() == [mels[0, :, 0].tolist(), mels[0, :, 1].tolist(), mels[1, :, 2].tolist()]
    assert torch.equal(upright(mels)[:, 0], mels.transpose(1, 2))
