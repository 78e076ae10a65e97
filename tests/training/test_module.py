import pytest
import torch

from ser_pipeline.datasets.batch import Batch
from ser_pipeline.losses import build_loss
from ser_pipeline.models import CRNN
from ser_pipeline.settings import FrontEnd, TrainOptions
from ser_pipeline.training.module import TrainedNetwork


def module(**options):
    torch.manual_seed(0)
    network = CRNN(8, 4, channels=(2, 2, 2), hidden=4)
    loss = build_loss("ce", ("anger", "happiness", "neutral", "sadness"))
    return TrainedNetwork(network, loss, TrainOptions(**options), FrontEnd(n_mels=8), steps_per_epoch=10)


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_optimizer_and_schedule_are_those_of_the_options(name, kind):
    options = {"optimizer": name, "learning_rate": 0.02, "weight_decay": 0.3, "warmup_epochs": 2}
    made = module(**options).configure_optimizers()
    optimizer = made["optimizer"]
    assert type(optimizer) is kind
    assert optimizer.defaults["weight_decay"] == 0.3
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.02 / 20)  # first of 20 warm-up steps
    assert made["lr_scheduler"]["interval"] == "step"


def test_gradients_are_clipped_together():
    network = module(clip_norm=0.5)
    for weight in network.network.parameters():
        weight.grad = torch.full_like(weight, 3.0)
    network.configure_gradient_clipping(None)
    norm = torch.cat([weight.grad.flatten() for weight in network.network.parameters()]).norm()
    assert norm.item() == pytest.approx(0.5, rel=1e-4)


def test_validation_is_scored_in_fp32():
    network = module().eval()
    batch = Batch(torch.rand(3, 8, 40), torch.tensor([40, 30, 9]), torch.tensor([0, 1, 2]), torch.arange(3))
    network.on_validation_epoch_start()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        network.validation_step(batch, 0)
    with torch.no_grad():
        expected = network.loss.per_clip(network.network(batch.inputs, batch.lengths), batch.targets)
    scores = network.validation_totals.scores(lambda tensor: tensor)
    assert scores["loss"] == pytest.approx(expected.mean().item(), rel=1e-6)
