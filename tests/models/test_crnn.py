import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ser_pipeline.models.build import build_model, parameter_count
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.models.layers import block_steps
from ser_pipeline.options import ModelOptions

LENGTHS = [173, 100, 57, 16, 9, 8, 5, 1]


def random_network(seed=0, **options):
    """A network whose layers and running statistics are all far from their start."""
    torch.manual_seed(seed)
    options = {"n_mels": 16, "n_classes": 4, "channels": (4, 6, 8), "hidden": 5, **options}
    network = CRNN(**options)
    for norm in network.norms:
        norm.running_mean.uniform_(-0.2, 0.2)
        norm.running_var.uniform_(0.2, 1.0)
        nn.init.uniform_(norm.weight, 0.5, 2.0)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    for name, weight in network.named_parameters():
        if "lstm" in name or "head" in name or "attention" in name:
            nn.init.uniform_(weight, -0.7, 0.7)
    return network


def clips(lengths=LENGTHS, n_mels=16, frames=173, pad=-1.0):
    generator = torch.Generator().manual_seed(1)
    mels = torch.full((len(lengths), n_mels, frames), pad)
    for number, length in enumerate(lengths):
        mels[number, :, :length] = torch.rand(n_mels, length, generator=generator) * 2 - 1
    return mels, torch.tensor(lengths)


@pytest.mark.parametrize(("classes", "count"), [(4, 2_227_589), (6, 2_227_719)])
@pytest.mark.parametrize("masked", [True, False])
def test_parameters_are_as_published(classes, count, masked):
    assert parameter_count(build_model(ModelOptions(masked=masked), 96, classes)) == count


@pytest.mark.parametrize(("frames", "fill"), [(173, 7.0), (200, -1.0), (400, 0.0)])
def test_padding_changes_no_decision(frames, fill):
    network = random_network().eval()
    with torch.no_grad():
        expected = network(*clips())
        mels, lengths = clips(frames=frames, pad=fill)
        assert torch.allclose(network(mels, lengths), expected, atol=1e-5)
    assert expected.std() > 0.05  # the network tells these clips apart at all


def test_a_batch_of_mixed_lengths_equals_its_clips_one_by_one():
    network = random_network().eval()
    mels, lengths = clips()
    with torch.no_grad():
        together = network(mels, lengths)
        alone = [network(mels[i : i + 1, :, :n], lengths[i : i + 1]) for i, n in enumerate(LENGTHS)]
    assert torch.allclose(torch.cat(alone), together, atol=1e-5)


@pytest.mark.parametrize("length", [8, 9, 100, 173])
def test_an_unpadded_clip_needs_no_mask(length):
    network = random_network().eval()
    mels, lengths = clips([length])
    with torch.no_grad():
        assert torch.allclose(network(mels[:, :, :length]), network(mels, lengths), atol=1e-5)


def masked_reference(network, mels, lengths):
    """The masked network written down literally: zero, convolve, normalise valid frames, zero, pool."""
    x, counts = mels.transpose(1, 2)[:, None], lengths.clone()
    for convolution, norm in zip(network.convolutions, network.norms, strict=True):
        frames = x.shape[2]
        mask = (torch.arange(frames) < counts[:, None])[:, None, :, None].to(x.dtype)
        x = convolution(x * mask)
        if norm.training:
            cells = mask.sum() * x.shape[3]
            mean = (x * mask).sum((0, 2, 3)) / cells
            variance = (((x - mean[:, None, None]) ** 2) * mask).sum((0, 2, 3)) / cells
        else:
            mean, variance = norm.running_mean, norm.running_var
        shape = (1, -1, 1, 1)
        x = (x - mean.view(shape)) / (variance.view(shape) + norm.eps).sqrt()
        x = F.relu(x * norm.weight.view(shape) + norm.bias.view(shape)) * mask
        x = F.max_pool2d(F.pad(x, (0, 0, 0, frames % 2)), 2)
        counts = (counts // 2).clamp(min=1)
    states = x.permute(0, 2, 3, 1).flatten(2)
    outputs = []
    for clip, steps in zip(states, counts.tolist(), strict=True):
        h = network.lstm(clip[None, :steps])[0]
        weights = network.attention(h).softmax(1)
        outputs.append(network.head((weights * h).sum(1)))
    return torch.cat(outputs)


@pytest.mark.parametrize("training", [True, False])
def test_masked_network_equals_its_definition(training):
    network = random_network(dropout=0.0).double().train(training)
    mels, lengths = clips()
    mels = mels.double()
    found = network(mels, lengths)
    found.square().sum().backward()
    gradients = {name: weight.grad.clone() for name, weight in network.named_parameters()}
    network.zero_grad()
    expected = masked_reference(network, mels, lengths)
    expected.square().sum().backward()
    assert torch.allclose(found, expected, atol=1e-10)
    for name, weight in network.named_parameters():
        assert torch.allclose(gradients[name], weight.grad, atol=1e-8), name


def test_running_statistics_are_those_of_valid_frames():
    network = random_network().train()
    network.norms[0].momentum = 1.0
    mels, lengths = clips()
    network(mels, lengths)
    x = F.pad(mels.transpose(1, 2)[:, None], (0, 0, 0, 1))
    mask = torch.arange(x.shape[2]) < lengths[:, None]
    valid = network.convolutions[0](x * mask[:, None, :, None]).permute(0, 2, 3, 1)[mask]
    assert torch.allclose(network.norms[0].running_mean, valid.mean((0, 1)), atol=1e-5)
    assert torch.allclose(network.norms[0].running_var, valid.flatten(0, 1).var(0), atol=1e-5)


def test_without_mask_layers_are_plain_ones_and_padding_counts():
    network = random_network(masked=False).eval()
    mels, lengths = clips()
    layers = []
    for convolution, norm in zip(network.convolutions, network.norms, strict=True):
        layers += [convolution, norm, nn.ReLU(), nn.MaxPool2d(2)]
    states = nn.Sequential(*layers)(mels.transpose(1, 2)[:, None]).permute(0, 2, 3, 1).flatten(2)
    h = network.lstm(states)[0]
    expected = network.head((network.attention(h).softmax(1) * h).sum(1))
    with torch.no_grad():
        assert torch.allclose(network(mels, lengths), expected, atol=1e-5)
        longer, _ = clips(frames=400)
        assert not torch.allclose(network(longer, lengths), expected, atol=1e-3)


def test_attention_looks_at_valid_steps_only():
    mels, lengths = clips()
    with torch.no_grad():
        _, weights = random_network().eval().summarise(mels, lengths)
    steps = torch.tensor([max(1, length // 8) for length in LENGTHS])
    beyond = torch.arange(weights.shape[1]) >= steps[:, None]
    assert torch.allclose(weights.sum(1), torch.ones(len(LENGTHS)))
    assert weights[beyond].abs().sum() == 0


def test_without_attention_steps_are_averaged():
    mels, lengths = clips([40, 16])
    network = random_network(attention=False).eval()
    with torch.no_grad():
        context, weights = network.summarise(mels, lengths)
        steps, _ = block_steps(network.convolutions, network.norms, mels[:1, :, :40], None)
        mean = network.lstm(steps)[0].mean(1)
    assert weights is None
    assert torch.allclose(context[:1], mean, atol=1e-5)


def test_one_direction_reads_the_past_only():
    network = random_network(bidirectional=False).eval()
    mels, _ = clips([80], frames=80)
    changed = mels.clone()
    changed[:, :, 60:] = 0.9
    steps = [block_steps(network.convolutions, network.norms, x, None)[0] for x in (mels, changed)]
    before, after = (network.lstm(x)[0] for x in steps)
    assert torch.allclose(before[:, :6], after[:, :6])  # a step sees half a step beyond its end
    assert not torch.allclose(before[:, 8:], after[:, 8:], atol=1e-3)


def test_options_reach_the_network():
    options = ModelOptions(masked=False, attention=False, bidirectional=False, dropout=0.1)
    network = build_model(options, 80, 6)
    assert not network.masked
    assert network.attention is None
    assert not network.lstm.bidirectional
    assert network.lstm.input_size == 128 * 10
    assert network.lstm.dropout == 0.1
    assert network(torch.zeros(2, 80, 16)).shape == (2, 6)


def test_bf16_steps_are_finite_and_close():
    network = random_network(dropout=0.0).train()
    mels, lengths = clips()
    expected = network(mels, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(mels, lengths)
    found.float().sum().backward()
    assert torch.allclose(found.float(), expected, atol=0.15)
    assert all(weight.grad.isfinite().all() for weight in network.parameters())
