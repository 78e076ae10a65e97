import numpy as np
import pytest
import torch

from ser_pipeline.evaluation.internals import CHOSEN, choose, place
from ser_pipeline.evaluation.run import score_run
from ser_pipeline.runs.internals import read_attention, read_embeddings
from ser_pipeline.training.checkpoint import load_model
from ser_pipeline.training.run import train_run
from tests.training.conftest import Silent


@pytest.fixture
def scored(toy, tmp_path):
    """A function that trains the toy for one epoch and scores it."""

    def run(name, **changes):
        data = toy.data(train={"epochs": 1}, **changes)
        folder = tmp_path / name
        train_run(data, folder, Silent(), command="ser train")
        score_run(folder, data)
        return folder, data

    return run


def test_what_is_kept_is_what_the_network_says(scored):
    folder, data = scored("a")
    network, card = load_model(folder)
    clips = data.clips(np.arange(len(data.examples)), card.learned)
    names = data.examples.column("utterance_id").tolist()
    kept = read_attention(folder)
    assert 0 < len(kept) <= CHOSEN
    for clip in kept:
        batch = clips.__getitems__([names.index(clip.utterance_id)])
        with torch.inference_mode():
            _, weights = network.summarise(batch.inputs, batch.lengths)
        assert clip.part == "test"
        assert np.allclose(clip.weights, weights[0, : len(clip.weights)], atol=1e-6)
        assert clip.weights.sum() == pytest.approx(1, abs=1e-5)
        assert clip.mel.shape == (8, int(batch.lengths[0]))
        assert clip.target == data.examples.target[names.index(clip.utterance_id)]
    found = read_embeddings(folder)
    assert len(found.clips) == len(data.rows("test"))
    batch = clips.__getitems__([names.index(found.clips[3])])
    with torch.inference_mode():
        assert np.allclose(found.vectors[3], network.embed(batch.inputs, batch.lengths)[0], atol=1e-5)
    assert np.isfinite(found.places).all()


def test_a_network_that_weighs_nothing_keeps_no_attention(scored):
    folder, _ = scored("a", model={"attention": False})
    assert read_attention(folder) == []
    assert read_embeddings(folder) is not None


def test_a_classifier_keeps_neither(scored, toy):
    toy.write_features()
    folder, _ = scored("a", model={"name": "logreg"})
    assert read_attention(folder) == []
    assert read_embeddings(folder) is None


def test_the_map_is_the_same_each_time_and_near_stays_near(rng):
    heaps = rng.standard_normal((40, 6)).astype(np.float32)
    heaps[20:] += 30
    places = place(heaps)
    assert np.array_equal(places, place(heaps))
    own = np.linalg.norm(places[:20] - places[:20].mean(0), axis=1).mean()
    assert np.linalg.norm(places[:20].mean(0) - places[20:].mean(0)) > 2 * own
    assert np.isfinite(place(np.ones((7, 3), np.float32))).all()


def test_the_surest_of_each_class_then_the_surest_mistakes():
    target = np.array([0, 0, 1, 1, 2, 2])
    predicted = np.array([0, 0, 1, 0, 1, 0])
    stated = np.array([0.5, 0.9, 0.4, 0.6, 0.7, 0.8])
    assert choose(target, predicted, stated) == [1, 2, 5, 4, 3]
    assert choose(target, target, stated) == [1, 3, 5]
    assert len(choose(np.zeros(30, int), np.ones(30, int), np.full(30, 0.5))) == CHOSEN
