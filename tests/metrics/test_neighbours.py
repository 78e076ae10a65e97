import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from ser_pipeline.metrics.neighbours import NEAREST, nearness


def test_nearest_clips_are_scikit_learns(rng):
    vectors = rng.standard_normal((60, 8)).astype(np.float32)
    names = rng.choice(["a", "b", "c"], 60)
    found = nearness(vectors, names)
    scaled = (vectors - vectors.mean(0)) / vectors.std(0)
    near = NearestNeighbors(n_neighbors=NEAREST + 1).fit(scaled).kneighbors(scaled, return_distance=False)
    assert found.share == pytest.approx(np.mean(names[near[:, 1:]] == names[:, None]))
    assert found.clips == 60


def test_what_lies_together_is_found_and_noise_is_chance(rng):
    names = np.repeat(["a", "b"], 50)
    apart = np.tile(["x", "y", "z", "u", "v"], 20)
    heaps = rng.standard_normal((100, 4)).astype(np.float32)
    noise = nearness(heaps, names, apart)
    assert noise.share == pytest.approx(noise.chance, abs=0.1)
    heaps[:50] += 20
    together = nearness(heaps, names, apart)
    assert together.share == 1
    assert together.chance == pytest.approx(0.5, abs=0.02)


def test_neighbours_are_of_other_speakers(rng):
    vectors = np.repeat(np.arange(4, dtype=np.float32)[:, None], 10, 0) + 0.01 * rng.random((40, 1))
    speakers = np.repeat(list("abcd"), 10)
    assert nearness(vectors.astype(np.float32), speakers).share == 1
    assert nearness(vectors.astype(np.float32), speakers, speakers).share == 0


def test_too_few_clips_say_nothing():
    few = np.eye(4, dtype=np.float32)
    assert nearness(few, np.array(list("aabb"))) is None
    many = np.eye(20, dtype=np.float32)
    assert nearness(many, np.array(["a"] * 20), np.array(["x"] * 20)) is None
