from types import SimpleNamespace

import numpy as np
import pytest

from ser_pipeline.options import EmbeddingOptions
from ser_pipeline.serving import details
from ser_pipeline.serving.scorer import PreparedClip


@pytest.fixture
def linear(monkeypatch):
    """A model on two layers of an encoder, which hears emotion in the second layer alone."""
    monkeypatch.setattr(details, "normalised", lambda values, card, one_speaker: values - 1)
    weights = np.array([[0, 0, 0, 0], [0, 0, 2, 1]], np.float32)
    scorer = SimpleNamespace(logits=lambda vector, frames: weights @ vector)
    inputs = EmbeddingOptions(layers=(2, 3), pooling=("mean",), width=2)
    return SimpleNamespace(scorer=scorer, card=SimpleNamespace(inputs=inputs, members=()))


def test_the_layer_that_decides_is_named_with_what_its_average_costs(linear):
    clip = PreparedClip(np.array([5, 5, 3, 4], np.float32), 1, 0.0, 1.0)
    found = dict(details.pieces(linear, clip))
    assert found == {
        "layer 2": 0.0,
        "layer 3": pytest.approx(2 * 2 + 3),
    }  # log-odds of two classes: their gap


def test_reasons_are_of_the_decision_where_the_beginning_alone_says_another(linear):
    clip = PreparedClip(np.array([5, 5, 3, 4], np.float32), 1, 0.0, 1.0)
    assert dict(details.pieces(linear, clip, 0))["layer 3"] == pytest.approx(-(2 * 2 + 3))


def test_a_layer_may_speak_against_the_decision(linear):
    clip = PreparedClip(np.array([0, 0, 3, -2], np.float32), 1, 0.0, 1.0)
    assert dict(details.pieces(linear, clip))["layer 3"] == pytest.approx(2 * 2 - 3)


def test_mels_steps_and_graphs_with_their_encoder_have_no_such_pieces(linear):
    for shape in ((8, 20), (7, 2, 2)):
        assert details.pieces(linear, PreparedClip(np.zeros(shape, np.float32), 1, 0.0, 1.0)) == ()
    heard = PreparedClip(np.zeros(4, np.float32), 1, 0.0, 1.0, logits=np.zeros(2, np.float32))
    assert details.pieces(linear, heard) == ()


def test_an_ensemble_has_no_scales_of_its_own_and_so_no_pieces(linear):
    linear.card.members = ("one", "two")
    assert details.pieces(linear, PreparedClip(np.zeros(4, np.float32), 1, 0.0, 1.0)) == ()


def test_graphs_of_mels_have_no_map(linear):
    assert details.moved(linear, PreparedClip(np.zeros((8, 20), np.float32), 20, 0.0, 1.0)) is None
