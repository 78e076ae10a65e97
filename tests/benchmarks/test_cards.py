import pytest
import torch

from ser_pipeline.benchmarks.cards import AGREE, card_figures, timed
from ser_pipeline.errors import SettingsError


def test_everything_runs_on_the_processor_and_decides_as_it_does(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_pipeline.benchmarks.cards.ENCODER", "no-such-encoder")
    monkeypatch.setattr("ser_pipeline.benchmarks.cards.STEPS", 1)
    recipe = toy.recipe(model={"name": "crnn"})
    found = {
        each.work: each for each in card_figures(recipe, toy.manifests, toy.cache, tmp_path / "w", "cpu")
    }
    rates = ["CRNN training step, batch 40", "epoch of the CRNN", "prediction by the CRNN, from mels"]
    assert all(found[work].ratio > 0 for work in rates)
    assert "GFLOP a clip" in found[rates[0]].note
    alike = found["clips decided as on the processor"]
    assert (alike.rate, alike.floor) == (1.0, AGREE)
    assert "no-such-encoder" in found["embeddings left out"].note


def test_without_a_card_it_is_one_line(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="this machine has no graphics card; --device cpu shows"):
        next(card_figures(toy.recipe(), toy.manifests, toy.cache, tmp_path, "auto"))


def test_calls_before_the_clock_starts_are_not_timed():
    called = []
    assert timed(lambda: called.append(1), "cpu", 3) >= 0
    assert len(called) == 5
