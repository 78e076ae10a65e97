import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ser_pipeline.models.build import build_model
from ser_pipeline.models.layers import (
    DEPTH,
    GAIN,
    LOUD,
    RunningScale,
    attention_layer,
    block_steps,
    blocks,
    normalise_clip,
    step_weights,
    upright,
    valid_frames,
    weighted_mean,
    weighted_statistics,
)
from ser_pipeline.options import FrontEnd, ModelOptions


def test_the_floor_is_as_deep_as_the_help_says():
    usual = FrontEnd()
    assert (usual.ceiling_db - usual.floor_db) * DEPTH / 2 == 30
    assert "usually 30 dB" in ModelOptions.model_fields["own_scale"].description


def small_blocks():
    torch.manual_seed(0)
    convolutions, norms = blocks((3, 4))
    return convolutions, norms.eval()


def test_plain_steps_are_convolution_norm_relu_pool():
    convolutions, norms = small_blocks()
    mels = torch.randn(2, 8, 12)
    x = mels.transpose(1, 2)[:, None]
    for convolution, norm in zip(convolutions, norms, strict=True):
        x = F.max_pool2d(F.relu(norm(convolution(x))), 2)
    steps, counts = block_steps(convolutions, norms, mels, None)
    assert counts is None
    assert torch.allclose(steps, x.permute(0, 2, 3, 1).flatten(2), atol=1e-6)


def test_masked_steps_of_a_clip_are_its_plain_ones_and_zero_beyond():
    convolutions, norms = small_blocks()
    mels, lengths = torch.randn(3, 8, 30), torch.tensor([30, 13, 4])
    steps, counts = block_steps(convolutions, norms, mels, lengths)
    assert counts.tolist() == [7, 3, 1]
    for clip, length, count, found in zip(mels, lengths, counts, steps, strict=True):
        alone, _ = block_steps(convolutions, norms, clip[None, :, :length], None)
        assert torch.allclose(found[:count], alone[0], atol=1e-6)
        assert (found[count:] == 0).all()


def test_valid_frames_are_columns_of_the_mels():
    mels = torch.arange(24.0).view(2, 3, 4)
    rows = valid_frames(mels, torch.tensor([0, 1, 6]))
    assert rows[:, :, 0].tolist() == [mels[0, :, 0].tolist(), mels[0, :, 1].tolist(), mels[1, :, 2].tolist()]
    assert torch.equal(upright(mels)[:, 0], mels.transpose(1, 2))


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
    assert torch.allclose(normalise_clip(mels, LENGTHS), one_by_one(mels, LENGTHS), atol=1e-6)
    assert torch.equal(mels, before)


def test_without_lengths_all_frames_count(mels):
    every = torch.full((4,), 40)
    assert torch.allclose(normalise_clip(mels), normalise_clip(mels, every), atol=1e-6)


def test_level_and_a_colour_of_the_microphone_are_taken_out():
    clip = torch.rand(1, 16, 40, generator=torch.Generator().manual_seed(3)) * 0.2
    colour = torch.linspace(-0.1, 0.1, 16)[None, :, None]
    assert torch.allclose(normalise_clip(clip + 0.3), normalise_clip(clip), atol=1e-5)
    assert torch.allclose(
        normalise_clip(clip + colour), normalise_clip(clip), atol=1e-5
    )  # nothing is at the floor


def test_noise_far_below_the_voice_looks_alike():
    clip = torch.zeros(1, 16, 40)
    clip[:, :, 20:] = -0.8
    louder_noise = torch.where(clip < 0, -0.6, clip)
    assert torch.equal(normalise_clip(clip), normalise_clip(louder_noise))


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
    first = normalise_clip(mels, LENGTHS if masked else None)
    with torch.no_grad():
        assert torch.equal(scaled(mels, LENGTHS), plain(first, LENGTHS))


def test_running_statistics_scale_training_as_they_scale_prediction(rng):
    rows = torch.from_numpy(rng.normal(3, 2, (400, 5))).float()
    scale = RunningScale(5)
    for batch in rows[:320].split(40):  # early batches count alike
        trained = scale(batch)
    expected = (rows[280:320] - rows[:320].mean(0)) / rows[:320].std(0, correction=0)
    torch.testing.assert_close(trained, expected, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(scale.eval()(rows[280:320]), trained)
    alone = RunningScale(5)(rows[:1])
    assert torch.isfinite(alone).all()
    still = RunningScale(1)
    assert torch.equal(still(torch.full((8, 1), 7.0)), torch.zeros(8, 1))
