import math

import numpy as np
import pytest
import torch

from ser_pipeline.datasets.batch import Batch
from ser_pipeline.encoders import located
from ser_pipeline.losses import build_loss
from ser_pipeline.metrics import rating_columns, rating_scores
from ser_pipeline.models.build import build_model
from ser_pipeline.models.crnn import CRNN
from ser_pipeline.options import EmbeddingOptions, FrontEnd, ModelOptions, TrainOptions
from ser_pipeline.training.module import RatingTotals, TrainedNetwork, average_into, rate_factor


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


def test_layers_of_an_encoder_learn_at_rates_of_their_own(make_encoder):
    encoder, _ = located(EmbeddingOptions(encoder=str(make_encoder("whisper"))))
    tuned = build_model(ModelOptions(name="finetune", unfreeze=2), encoder, 4)
    options = TrainOptions(learning_rate=0.02, encoder_learning_rate=0.01, layer_decay=0.5, warmup_epochs=0)
    loss = build_loss("ce", ("anger", "happiness", "neutral", "sadness"))
    made = TrainedNetwork(tuned, loss, options, FrontEnd(), steps_per_epoch=10)
    optimizer = made.configure_optimizers()["optimizer"]
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.01, 0.005])
    state = {"state_dict": dict(made.state_dict())}
    made.on_save_checkpoint(state)
    assert not any("layers.0." in name for name in state["state_dict"])
    assert any("layers.1." in name for name in state["state_dict"])
    assert "network.layers" in state["state_dict"]


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


def network(value):
    made = build_model(ModelOptions(name="dnn"), 6, 4)
    with torch.no_grad():
        for weight in made.parameters():
            weight.fill_(value)
    return made


def value_of(made):
    values = {float(weight.detach().mean()) for weight in made.parameters()}
    assert max(values) - min(values) < 1e-6
    return values.pop()


def test_the_first_step_is_taken_whole():
    mean = network(7.0)
    average_into(mean, network(1.0), step=0, averaging=0.9)
    assert value_of(mean) == 1


def test_the_mean_moves_by_a_fixed_share_once_there_are_many_steps():
    mean = network(1.0)
    for step in range(1000, 1003):
        average_into(mean, network(0.0), step=step, averaging=0.9)
    assert value_of(mean) == pytest.approx(0.9**3)


def test_early_on_the_mean_forgets_faster():
    mean = network(1.0)
    average_into(mean, network(0.0), step=3, averaging=0.9)
    assert value_of(mean) == pytest.approx(3 / 12)


def test_statistics_of_batch_norms_are_averaged_and_counters_copied():
    mean, now = (build_model(ModelOptions(), 16, 4) for _ in range(2))
    now.norms[0].running_mean.fill_(1.0)
    now.norms[0].num_batches_tracked.fill_(5)
    average_into(mean, now, step=10_000, averaging=0.75)
    assert mean.norms[0].running_mean.unique().tolist() == [0.25]
    assert mean.norms[0].num_batches_tracked == 5


def test_equals_torchs_warm_restarts_after_the_warm_up():
    options = TrainOptions(warmup_epochs=0, restart_epochs=10, restart_factor=2, learning_rate=0.5)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    reference = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=2)
    for step in range(4 * 75):
        reference.step(step / 4)
        assert rate_factor(step, 4, options) * 0.5 == pytest.approx(optimizer.param_groups[0]["lr"])


def test_the_warm_up_rises_in_equal_steps_to_the_peak():
    options = TrainOptions(warmup_epochs=2)
    assert [rate_factor(step, 3, options) for step in range(7)] == pytest.approx(
        [1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1]
    )


def test_cycles_without_growth_repeat():
    options = TrainOptions(warmup_epochs=1, restart_epochs=3, restart_factor=1)
    cycle = [rate_factor(step, 2, options) for step in range(2, 8)]
    assert [rate_factor(step, 2, options) for step in range(8, 14)] == cycle
    assert cycle[3] == pytest.approx(0.5)
    assert cycle[-1] == pytest.approx((1 + math.cos(math.pi * 5 / 6)) / 2)


def kept(tensor):
    return tensor


@pytest.mark.parametrize("loss", ["ccc", "mse"])
def test_concordance_of_an_epoch_is_that_of_all_its_clips(rng, loss):
    rated, said = rng.uniform(-1, 1, (2, 30, 2))
    rated[::3, 1] = np.nan
    totals = RatingTotals(2, loss)
    for start in range(0, 30, 7):
        batch = slice(start, start + 7)
        totals.add(torch.zeros(()), torch.from_numpy(said[batch]), torch.from_numpy(rated[batch]))
    there = ~np.isnan(rated)
    scores = [
        rating_scores(rating_columns(x[m], y[m]).sum(0))
        for x, y, m in zip(rated.T, said.T, there.T, strict=True)
    ]
    found = totals.scores(kept)
    assert found["ccc"] == pytest.approx(np.mean([each["ccc"] for each in scores]))
    wanted = 1 - found["ccc"] if loss == "ccc" else np.mean([each["rmse"] ** 2 for each in scores])
    assert (found["loss"], found["clips"]) == (pytest.approx(wanted), 30)


def test_a_loss_of_ratings_that_are_no_numbers_is_none_either():
    totals = RatingTotals(2, "ccc")
    totals.add(torch.zeros(()), torch.tensor([[0.1, torch.nan]]), torch.zeros(1, 2))
    found = totals.scores(kept)
    assert math.isnan(found["loss"])
    assert (found["clips"], found["ccc"]) == (1, None)


def test_without_rated_clips_there_is_no_score():
    totals = RatingTotals(1, "ccc")
    totals.add(torch.zeros(()), torch.zeros(3, 1), torch.full((3, 1), torch.nan))
    assert totals.scores(kept) == {"clips": 0, "loss": None, "ccc": None}
