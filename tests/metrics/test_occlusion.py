import numpy as np
import pytest
from scipy.special import log_softmax

from ser_pipeline.metrics.occlusion import AT_ONCE, log_odds, occlusion


def test_a_patch_counts_by_what_a_linear_score_loses_without_it(rng):
    mel = rng.normal(size=(10, 13)).astype(np.float32)
    weights = rng.normal(size=mel.shape)
    found = occlusion(mel, lambda some: (some * weights).sum((1, 2)), bands=4, frames=5)
    away = (mel - mel.mean()) * weights
    expected = [[away[r : r + 4, c : c + 5].sum() for c in (0, 5, 10)] for r in (0, 4, 8)]
    assert found == pytest.approx(np.array(expected), abs=1e-4)


def test_many_patches_are_asked_for_in_parts(rng):
    sizes = []
    mel = rng.normal(size=(24, 8 * AT_ONCE)).astype(np.float32)
    found = occlusion(mel, lambda some: sizes.append(len(some)) or some[:, 0, 0], bands=12)
    assert found.shape == (2, AT_ONCE)
    assert max(sizes) == AT_ONCE
    assert np.flatnonzero(found).tolist() == [0]


def test_what_is_not_changed_moves_nothing():
    flat = np.full((8, 8), 0.3, np.float32)
    assert not occlusion(flat, lambda some: some.sum((1, 2)), bands=4, frames=4).round(4).any()


def test_log_odds_are_those_of_the_softmax(rng):
    logits = rng.normal(size=(5, 4))
    share = np.exp(log_softmax(logits, axis=1))[:, 2]
    assert log_odds(logits, 2) == pytest.approx(np.log(share / (1 - share)))
