import pytest
import torch

from ser_pipeline.models import build_model
from ser_pipeline.models.scale import DEPTH, GAIN, LOUD, own_scale
from ser_pipeline.settings import ModelOptions

LENGTHS = torch.tensor([40, 25, 3, 1])


@pytest.fixture
def mels():
    values = torch.rand(4, 16, 40, generator=torch.Generator().manual_seed(2)) * 2 - 1
    for number, length in enumerate(LENGTHS.tolist()):
        values[number, :, length:] = -1
    return values


def one_by_one(mels, lengths):
    """The same written down for one clip at a time."""
    scaled = mels.clone()
    for clip, length in zip(scaled, lengths.tolist(), strict=True):
        cells = clip[:, :length]
        falling = cells.flatten().sort(descending=True).values
        raised = cells.clamp(min=float(falling[len(falling) // LOUD]) - DEPTH)
        clip[:, :length] = GAIN * (raised - raised.mean(1, keepdim=True))
    return scaled


def test_equals_the_formula_clip_by_clip(mels):
    before = mels.clone()
    assert torch.allclose(own_scale(mels, LENGTHS), one_by_one(mels, LENGTHS), atol=1e-6)
    assert torch.equal(mels, before)


def test_without_lengths_all_frames_count(mels):
    every = torch.full((4,), 40)
    assert torch.allclose(own_scale(mels), own_scale(mels, every), atol=1e-6)


def test_level_and_a_colour_of_the_microphone_are_taken_out():
    clip = torch.rand(1, 16, 40, generator=torch.Generator().manual_seed(3)) * 0.2
    colour = torch.linspace(-0.1, 0.1, 16)[None, :, None]
    assert torch.allclose(own_scale(clip + 0.3), own_scale(clip), atol=1e-5)
    assert torch.allclose(own_scale(clip + colour), own_scale(clip), atol=1e-5)  # nothing is at the floor


def test_noise_far_below_the_voice_looks_alike():
    clip = torch.zeros(1, 16, 40)
    clip[:, :, 20:] = -0.8
    louder_noise = torch.where(clip < 0, -0.6, clip)
    assert torch.equal(own_scale(clip), own_scale(louder_noise))


@pytest.mark.parametrize("fill", [-1.0, 0.0, 9.0])
@pytest.mark.parametrize("name", ["crnn", "resnet", "mhsa"])
def test_padding_changes_no_decision(mels, name, fill):
    torch.manual_seed(0)
    network = build_model(ModelOptions(name=name, own_scale=True), 16, 4).eval()
    padded = torch.full((4, 16, 90), fill)
    for number, length in enumerate(LENGTHS.tolist()):
        padded[number, :, :length] = mels[number, :, :length]
    with torch.no_grad():
        assert torch.allclose(network(padded, LENGTHS), network(mels, LENGTHS), atol=1e-5)
        alone = network(mels[1:2, :, :25])
        assert torch.allclose(alone, network(mels, LENGTHS)[1:2], atol=1e-5)


@pytest.mark.parametrize("name", ["crnn", "resnet", "mhsa"])
@pytest.mark.parametrize("masked", [True, False])
def test_networks_do_it_first_where_they_are_told_to(mels, name, masked):
    torch.manual_seed(0)
    plain = build_model(ModelOptions(name=name, masked=masked), 16, 4).eval()
    scaled = build_model(ModelOptions(name=name, masked=masked, own_scale=True), 16, 4).eval()
    scaled.load_state_dict(plain.state_dict())
    first = own_scale(mels, LENGTHS if masked else None)
    with torch.no_grad():
        assert torch.equal(scaled(mels, LENGTHS), plain(first, LENGTHS))
