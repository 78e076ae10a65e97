import pytest
import torch

from ser_pipeline.models import build_model
from ser_pipeline.settings import ModelOptions
from ser_pipeline.training.averaging import average_into


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
