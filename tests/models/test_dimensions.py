import pytest
import torch

from ser_pipeline.errors import SettingsError
from ser_pipeline.models import build_model, parameter_count
from ser_pipeline.settings import ModelOptions


@pytest.mark.parametrize("name", ["crnn", "resnet", "mhsa", "dnn", "cnn1d"])
def test_every_network_can_have_the_head(name):
    torch.manual_seed(0)
    network = build_model(ModelOptions(name=name, dimensions=True), 16, 4).eval()
    inputs = torch.randn(3, 16) if name in ("dnn", "cnn1d") else torch.rand(3, 16, 40)
    lengths = torch.tensor([40, 20, 9])
    rated = network.rate(inputs, lengths)
    assert rated.shape == (3, 3)
    assert rated.abs().max() <= 1
    assert torch.equal(rated, network.dimensions(network.embed(inputs, lengths)))


def test_the_head_adds_its_own_parameters_alone():
    with_head, without = (build_model(ModelOptions(dimensions=on), 96, 4) for on in (True, False))
    assert parameter_count(with_head) - parameter_count(without) == 256 * 64 + 64 + 64 * 3 + 3
    assert parameter_count(without) == 2_227_589


def test_a_classifier_cannot_have_it():
    with pytest.raises(SettingsError, match="model 'svm' cannot have dimensions; only networks can"):
        build_model(ModelOptions(name="svm", dimensions=True), 16, 4)
