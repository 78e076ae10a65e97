import numpy as np
import pytest

from ser_pipeline.datasets.speakers import MIN_CLIPS, Surroundings, describe_speakers


class Rows:
    """A store of vectors that are their own positions."""

    def __init__(self, values):
        self.values, self.shape = values.astype(np.float32), values.shape[1:]

    def read(self, positions):
        return self.values[np.asarray(positions)], None, None


def described(values, part, speakers):
    around = Surroundings(np.arange(len(values)), np.array(part, np.int8), np.array(speakers))
    return around, describe_speakers(Rows(values), around)


def test_a_speaker_of_one_part_is_described_by_that_part(rng):
    values = rng.normal(50, 3, (20, 4))
    around, found = described(values, [0] * 10 + [2] * 10, ["a"] * 10 + ["b"] * 10)
    who = around.describing(around.part, around.speakers)
    normal = found.apply(values, who)
    for rows in (slice(0, 10), slice(10, 20)):
        assert normal[rows].mean(0) == pytest.approx(0, abs=1e-5)
        assert normal[rows].std(0) == pytest.approx(1, abs=1e-5)


def test_a_speaker_of_training_is_described_by_training_clips_alone(rng):
    values = rng.normal(0, 1, (20, 3))
    part = [0] * 10 + [1] * 10
    around, clean = described(values, part, ["a"] * 20)
    poisoned = values.copy()
    poisoned[10:] = 1e9
    _, same = described(poisoned, part, ["a"] * 20)
    assert clean.names.tolist() == same.names.tolist() == ["0/a"]
    assert same.center == pytest.approx(clean.center, abs=1e-4)
    assert set(around.describing(np.array([0, 1, 2], np.int8), np.array(["a", "a", "a"]))) == {"0/a"}


def test_someone_new_in_two_parts_is_described_in_each(rng):
    values = rng.normal(0, 1, (30, 2))
    _, found = described(values, [0] * 10 + [1] * 10 + [2] * 10, ["a"] * 10 + ["b"] * 20)
    assert found.names.tolist() == ["0/a", "1/b", "2/b"]
    assert found.center[1] == pytest.approx(values[10:20].mean(0), abs=1e-5)


def test_too_few_clips_are_described_by_all_of_training(rng):
    values = rng.normal(7, 2, (20 + MIN_CLIPS - 1, 2))
    _, found = described(values, [0] * 20 + [2] * (MIN_CLIPS - 1), ["a"] * 20 + ["b"] * (MIN_CLIPS - 1))
    assert found.center[1] == pytest.approx(values[:20].mean(0), abs=1e-4)
    assert found.scale[1] == pytest.approx(values[:20].std(0), abs=1e-4)


def test_someone_unknown_is_described_by_all_of_training(rng):
    values = rng.normal(7, 2, (20, 2))
    _, found = described(values, [0] * 20, ["a"] * 20)
    assert found.apply(values, ["2/nobody"] * 20).mean(0) == pytest.approx(0, abs=1e-4)


def test_large_values_lose_no_digits(rng):
    values = 1e6 + rng.standard_normal((50, 1))
    _, found = described(values, [0] * 50, ["a"] * 50)
    assert found.scale[0, 0] == pytest.approx(values.astype(np.float32).astype(np.float64).std(), rel=1e-6)
