import logging
import pickle

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from ser_pipeline.options import FrontEnd, ModelOptions, TrainOptions
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.training.module import Totals
from ser_pipeline.training.recorder import Recorder


def recorder(folder, **options):
    card = ModelCard(
        model=ModelOptions(),
        emotions=("anger", "fear"),
        inputs=FrontEnd(),
        store_fingerprint="f",
        synthetic=False,
        epoch=0,
    )
    return Recorder(folder, card, TrainOptions(**options), clips=100, listener=None)


def row(epoch, uar):
    return {"epoch": epoch, "validation_uar": uar, "train_seconds": 8.0, "validation_seconds": 2.0}


def test_what_it_knows_is_the_epochs_so_far(tmp_path):
    one, other = recorder(tmp_path), recorder(tmp_path)
    one.history = [row(1, 0.5)]
    other.load_state_dict(one.state_dict())
    assert other.history == one.history


@pytest.mark.parametrize(
    ("options", "epoch", "best", "seconds"),
    [
        ({"epochs": 50, "patience": 5}, 7, 4, 20.0),  # two more epochs of patience
        ({"epochs": 8, "patience": 5}, 7, 4, 10.0),  # but only one more epoch
        ({"epochs": 50, "patience": None}, 7, 4, 430.0),
    ],
)
def test_time_to_the_end_follows_patience(tmp_path, options, epoch, best, seconds):
    report = recorder(tmp_path, **options)._report(row(epoch, 0.5), best)
    assert report.patience_seconds == seconds
    assert report.clips_per_second == 12.5


def test_it_watches_its_own_network_only(tmp_path):
    with pytest.raises(TypeError, match="a Recorder watches a TrainedNetwork, not LightningModule"):
        recorder(tmp_path).on_train_epoch_end(Trainer(logger=False, barebones=True), LightningModule())


def test_in_another_process_it_hushes_lightning(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.getLogger("lightning.pytorch"), "level", logging.INFO)
    copy = pickle.loads(pickle.dumps(recorder(tmp_path)))  # noqa: S301
    assert logging.getLogger("lightning.pytorch").level == logging.WARNING
    assert copy.clips == 100


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
