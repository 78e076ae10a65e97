import pytest
import torch

from ser_pipeline.benchmarks import cards
from ser_pipeline.benchmarks.cards import AGREE, card_figures, timed
from ser_pipeline.errors import SettingsError


def test_everything_runs_on_the_processor_and_decides_as_it_does(toy, tmp_path, monkeypatch):
    for name, value in (("ENCODER", "no-such-encoder"), ("STEPS", 1), ("ALONE", 10)):
        monkeypatch.setattr(cards, name, value)
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


def test_an_encoder_is_timed_on_noise_as_long_as_the_clips(toy, make_encoder, monkeypatch):
    folder = make_encoder("whisper", "whisper-base", max_source_positions=1_500)
    monkeypatch.setenv("SER_ENCODERS", str(folder.parent))
    monkeypatch.setattr(cards, "ALONE", 10)
    (found,) = cards._embeddings(toy.data(), "cpu")
    assert found.ratio > 0
    assert "10 stretches of noise" in found.note
    assert "at most 0 away from the processor's" in found.note
