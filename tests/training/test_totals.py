import pytest
import torch

from ser_pipeline.training.totals import Totals


def test_scores_are_those_of_all_clips_together():
    totals = Totals(3)
    for targets, said in (([0, 1], [0, 2]), ([1, 1, 2], [1, 1, 2])):
        logits = torch.nn.functional.one_hot(torch.tensor(said), 3).float()
        totals.add(torch.tensor([0.5] * len(said)), logits, torch.tensor(targets))
    scores = totals.scores(lambda tensor: tensor)
    assert scores == {
        "clips": 5, "loss": 0.5, "accuracy": pytest.approx(4 / 5), "uar": pytest.approx((1 + 2 / 3 + 1) / 3)
    }  # fmt: skip


def test_several_processes_are_summed():
    totals = Totals(2)
    totals.add(torch.tensor([1.0]), torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    scores = totals.scores(lambda tensor: tensor * 2)
    assert (scores["clips"], scores["loss"], scores["uar"]) == (2, 1.0, 1.0)


def test_no_clips_have_no_scores():
    assert Totals(2).scores(lambda tensor: tensor) == {
        "clips": 0, "loss": None, "accuracy": None, "uar": None
    }  # fmt: skip


def test_the_clock_stops_once():
    totals = Totals(2)
    totals.stop()
    first = totals.seconds
    totals.stop()
    assert 0 < first == totals.seconds
