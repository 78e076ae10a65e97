import numpy as np
import pytest
import torch

from ser_pipeline.datasets.learned import Learned
from ser_pipeline.evaluation import predict
from ser_pipeline.models import build_model


@pytest.fixture
def network(toy):
    torch.manual_seed(3)
    return build_model(toy.recipe().model, 8, 4).train()


def test_probabilities_are_the_networks_in_the_order_of_the_clips(toy, network):
    data = toy.data()
    clips = data.clips(np.arange(120), Learned())
    found = predict.predict_clips(network, clips)
    batch = clips.__getitems__(range(120))
    with torch.no_grad():
        expected = network(batch.inputs, batch.lengths).softmax(1).numpy()
    assert not network.training
    assert found == pytest.approx(expected, abs=1e-6)
    assert found.sum(1) == pytest.approx(1)


def test_batches_change_nothing(toy, network, monkeypatch):
    clips = toy.data().clips(np.arange(20), Learned())
    whole = predict.predict_clips(network, clips)
    monkeypatch.setattr(predict, "BATCH", 3)
    assert predict.predict_clips(network, clips) == pytest.approx(whole, abs=1e-6)


def test_no_clips_have_no_probabilities(toy, network):
    assert predict.predict_clips(network, toy.data().clips(np.arange(0), Learned())).shape == (0, 4)
