import pytest
import torch
from torch import nn

from ser_pipeline.models.mhsa import Layer, positions


def test_a_layer_equals_torchs_own():
    torch.manual_seed(0)
    own, torchs = (
        Layer(8, 2, 0.0),
        nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", batch_first=True, norm_first=True),
    )
    pairs = {
        "self_attn.in_proj_weight": own.into.weight,
        "self_attn.in_proj_bias": own.into.bias,
        "self_attn.out_proj.weight": own.out.weight,
        "self_attn.out_proj.bias": own.out.bias,
        "linear1.weight": own.feed[0].weight,
        "linear1.bias": own.feed[0].bias,
        "linear2.weight": own.feed[2].weight,
        "linear2.bias": own.feed[2].bias,
    }
    torchs.load_state_dict({name: value.detach() for name, value in pairs.items()}, strict=False)
    x, valid = torch.randn(3, 6, 8), torch.arange(6) < torch.tensor([6, 4, 1])[:, None]
    expected = torchs(x, src_key_padding_mask=~valid)
    assert torch.allclose(own(x, valid)[valid], expected[valid], atol=1e-6)


def test_a_step_sees_valid_steps_only():
    torch.manual_seed(0)
    layer, x = Layer(8, 2, 0.0).eval(), torch.randn(1, 6, 8)
    changed = x.clone()
    changed[:, 4:] *= -1
    valid = torch.arange(6)[None] < 4
    assert torch.allclose(layer(x, valid)[:, :4], layer(changed, valid)[:, :4], atol=1e-6)
    assert not torch.allclose(layer(x)[:, :4], layer(changed)[:, :4], atol=1e-2)


def test_positions_differ_and_their_likeness_depends_on_distance_alone():
    table = positions(300, 64)
    likeness = table @ table.T
    assert torch.allclose(likeness.diagonal(), torch.full((300,), 32.0), atol=1e-4)
    for distance in (1, 7, 40):
        assert likeness.diagonal(distance).std() < 1e-3
    off = likeness - 1e9 * torch.eye(300)
    assert off.max().item() < 32 - 0.1


def test_positions_follow_the_formula():
    table = positions(50, 16)
    assert table[37, 3].item() == pytest.approx(torch.tensor(37 / 10_000 ** (3 / 8)).sin().item(), abs=1e-5)
    assert table[37, 8 + 3].item() == pytest.approx(
        torch.tensor(37 / 10_000 ** (3 / 8)).cos().item(), abs=1e-5
    )
