import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ser_pipeline.models.build import build_model
from ser_pipeline.models.cnn1d import CNN1D
from ser_pipeline.models.dnn import DNN
from ser_pipeline.options import ModelOptions


def test_it_has_the_layers_of_the_report():
    kinds = [type(layer) for layer in CNN1D(253, 4).convolutions]
    assert kinds.count(nn.Conv1d) == kinds.count(nn.BatchNorm1d) == 3
    assert kinds.count(nn.MaxPool1d) == 2
    assert kinds[:5] == [nn.Conv1d, nn.BatchNorm1d, nn.ReLU, nn.MaxPool1d, nn.Dropout]
    assert [type(layer) for layer in CNN1D(253, 4).head] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


@pytest.mark.parametrize("name", ["cnn1d", "dnn"])
def test_options_reach_the_network(name):
    network = build_model(ModelOptions(name=name, dropout=0.12), 253, 6)
    drops = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    assert drops == [0.12, 0.12]
    assert network(torch.zeros(3, 253), torch.ones(3)).shape == (3, 6)


@pytest.mark.parametrize("kind", [CNN1D, DNN])
@pytest.mark.parametrize("columns", [88, 253])
def test_a_network_learns_eight_vectors_by_heart(kind, columns):
    torch.manual_seed(0)
    network, inputs = kind(columns, 4, dropout=0.0), torch.randn(8, columns)
    labels = torch.tensor([0, 1, 2, 3, 3, 2, 1, 0])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.005)
    for _ in range(60):
        loss = F.cross_entropy(network(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network.eval()(inputs).argmax(1) == labels).all()


@pytest.mark.parametrize("kind", [CNN1D, DNN])
def test_clips_of_a_batch_do_not_touch_each_other(kind):
    network, inputs = kind(40, 3).eval(), torch.randn(5, 40)
    alone = torch.cat([network(inputs[row : row + 1]) for row in range(5)])
    assert torch.allclose(network(inputs), alone, atol=1e-6)
    assert torch.equal(network.head(network.embed(inputs)), network(inputs))
