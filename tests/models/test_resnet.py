import torch
from torch.nn import functional as F

from ser_pipeline.models.ragged import lay_out
from ser_pipeline.models.resnet import Residual, ResNet


def test_a_block_is_two_convolutions_and_a_short_cut():
    torch.manual_seed(0)
    block, x = Residual(3, 5).eval(), torch.randn(2, 3, 7, 6)
    y = x
    for number, part in enumerate((block.first, block.second)):
        y = part.norm(F.conv2d(y, part.convolution.weight, padding=1))
        y = F.relu(y) if number == 0 else y
    expected = F.relu(y + F.conv2d(x, block.short_cut.weight))
    assert torch.allclose(block(x), expected, atol=1e-6)


def test_equal_channels_are_passed_on_as_they_are():
    block = Residual(4, 4).eval()
    torch.nn.init.zeros_(block.second.norm.weight)
    x = torch.rand(1, 4, 5, 6)
    assert torch.equal(block(x), x)


def masked_block(block, x, lengths):
    """A block written down literally: zero, convolve, normalise valid frames."""
    mask = (torch.arange(x.shape[2]) < lengths[:, None])[:, None, :, None].to(x.dtype)
    y = x
    for number, part in enumerate((block.first, block.second)):
        y = part.convolution(y * mask)
        cells = mask.sum() * y.shape[3]
        mean = (y * mask).sum((0, 2, 3), keepdim=True) / cells
        variance = ((y - mean) ** 2 * mask).sum((0, 2, 3), keepdim=True) / cells
        y = (y - mean) / (variance + part.norm.eps).sqrt()
        y = F.relu(y) if number == 0 else y
    return F.relu(y + block.short_cut(x)) * mask


def test_on_a_strip_it_equals_its_definition():
    torch.manual_seed(1)
    block, lengths = Residual(3, 5).double().train(), torch.tensor([9, 4, 1])
    x = torch.randn(3, 3, 9, 6, dtype=torch.float64)
    valid = torch.arange(9) < lengths[:, None]
    level = lay_out(lengths, 9, 1).levels[0]
    found = block(x.permute(0, 2, 3, 1)[valid], level)
    expected = masked_block(block, x, lengths).permute(0, 2, 3, 1)[valid]
    assert torch.allclose(found, expected, atol=1e-10)


def test_steps_are_eight_frames():
    network, seen = ResNet(16, 4, channels=(2, 2, 2), width=4).eval(), []
    network.project.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    network(torch.zeros(3, 16, 173), torch.tensor([173, 40, 2]))
    network(torch.zeros(1, 16, 100))
    assert seen == [(3, 21, 4), (1, 12, 4)]
