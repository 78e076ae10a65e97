import torch

from ser_pipeline.benchmarks.learning import CHANNELS, PlainCRNN
from ser_pipeline.models.build import build_model
from ser_pipeline.options import ModelOptions

N_MELS = 16


def plain_weights(weights):
    """Weights of the product's CRNN for the plain one, whose image has channels first and mels tall."""
    renamed = {}
    for name, value in weights.items():
        kind, place, *rest = name.split(".")
        if kind == "convolutions":
            name = ".".join(["blocks", str(4 * int(place)), *rest])
            value = value.transpose(2, 3) if rest == ["weight"] else value
        elif kind == "norms":
            name = ".".join(["blocks", str(4 * int(place) + 1), *rest])
        elif name.startswith("lstm.weight_ih_l0"):
            value = value.unflatten(1, (N_MELS // 8, CHANNELS[-1])).transpose(1, 2).flatten(1)
        renamed[name] = value
    return renamed


def test_the_products_network_gives_what_the_plain_one_gives():
    torch.manual_seed(0)
    own = build_model(ModelOptions(masked=False), N_MELS, 4).eval()
    for norm in own.norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    plain = PlainCRNN(N_MELS, 4).eval()
    plain.load_state_dict(plain_weights(own.state_dict()))
    mels = torch.randn(3, N_MELS, 43)
    with torch.inference_mode():
        torch.testing.assert_close(own(mels, torch.tensor([43, 43, 43])), plain(mels), atol=1e-5, rtol=1e-5)
