import tracemalloc

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from ser_pipeline.audio.prepare import rms_db
from ser_pipeline.datasets.normalise import (
    Scaling,
    corpus_gains,
    first_step,
    inverse,
    learn_scaling,
    shift_levels,
    shifts,
)
from ser_pipeline.datasets.speakers import MIN_CLIPS, Surroundings, describe_speakers
from ser_pipeline.dsp.mel import log_mel
from ser_pipeline.errors import RunError
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.features.relative import relative
from ser_pipeline.options import FrontEnd

FRONT_END = FrontEnd(level="none", n_mels=16, max_s=1.0)


def test_gains_bring_each_corpus_to_the_target_and_keep_clips_apart(rng):
    loud, quiet = rng.standard_normal(4000) * 0.2, rng.standard_normal(4000) * 0.02
    levels = [rms_db(wave.astype(np.float32)) for wave in (loud, quiet)]
    gain = corpus_gains(levels, ["a", "a"], 0.1)["a"]
    both = np.concatenate([loud, quiet]) * 10 ** (gain / 20)
    assert np.sqrt(np.mean(both**2)) == pytest.approx(0.1, rel=1e-5)


def test_a_gain_on_the_wave_is_a_shift_of_the_mels(rng):
    wave = (rng.standard_normal(22_050) * 0.01).astype(np.float32)
    gain_db = 12.0
    expected = log_mel(wave * np.float32(10 ** (gain_db / 20)), FRONT_END)
    found = log_mel(wave, FRONT_END)[None].copy()
    frames = np.array([found.shape[2]])
    shift_levels(found, frames, shifts({"a": gain_db, "*": 0.0}, ["a"], FRONT_END))
    assert found[0] == pytest.approx(expected, abs=1e-4)


def test_padding_stays_and_the_floor_holds():
    mels = np.full((2, 1, 3), -0.95, np.float32)
    mels[0, 0, 2] = -1
    shift_levels(mels, np.array([2, 3]), np.array([0.5, -0.5], np.float32))
    assert mels[0, 0] == pytest.approx([-0.45, -0.45, -1])
    assert mels[1, 0] == pytest.approx([-1, -1, -1])


def test_unknown_corpora_get_the_mean_gain():
    gains = corpus_gains([-30.0, -10.0], ["a", "b"], 0.1)
    assert gains == pytest.approx({"a": 10.0, "b": -10.0, "*": 0.0})
    assert shifts(gains, ["c", "a"], FRONT_END) == pytest.approx([0, 20 / 120])
    assert shifts({}, ["c", "a"], FRONT_END).tolist() == [0, 0]


def test_standardising_takes_little_more_memory_than_its_result(rng):
    values = rng.normal(1e4, [1.0, 50.0, 0.0], (40_000, 3)).astype(np.float32)
    tracemalloc.start()
    learned = learn_scaling(values, ("a", "b", "c"), "none")
    while_learned = tracemalloc.get_traced_memory()[1]
    scaled = learned.apply(values)
    while_applied = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert while_learned < 0.8 * values.nbytes
    assert while_applied < 1.8 * values.nbytes
    assert learned.center == pytest.approx(values.mean(0, dtype=np.float64), rel=1e-12)
    assert learned.scale[:2] == pytest.approx(values.std(0, dtype=np.float64)[:2], rel=1e-9)
    assert np.array_equal(scaled[-3:], learned.apply(values[-3:]))


def test_it_is_scikit_learns_standard_scaler(rng):
    values = rng.normal(3, 2, (50, 4))
    expected = StandardScaler().fit(values).transform(values)
    assert learn_scaling(values, ("a", "b", "c", "d"), "none").apply(values) == pytest.approx(expected)


def test_a_column_that_does_not_move_says_nothing():
    values = np.array([[1.0, 1e6], [2.0, 1e6 + 1e-4]])
    learned = learn_scaling(values, ("a", "b"), "none")
    assert learned.scale[1] == 0
    assert learned.apply(np.array([[0.0, 5.0]]))[0, 1] == 0


def test_an_outlier_is_cut(rng):
    learned = learn_scaling(rng.standard_normal((100, 2)), ("a", "b"), "none")
    assert learned.apply(np.array([[1e6, -1e6]])).tolist() == [[10.0, -10.0]]


def test_it_comes_back_from_json_bit_for_bit(rng):
    learned = learn_scaling(rng.standard_normal((9, 3)), ("a", "b", "c"), "speaker")
    assert Scaling.model_validate_json(learned.model_dump_json()) == learned


def test_other_columns_are_refused():
    learned = learn_scaling(np.ones((2, 2)), ("a", "b"), "none")
    with pytest.raises(RunError, match="found 3 features, the model was trained on 2"):
        learned.apply(np.ones((1, 3)))


def test_only_relative_changes_a_clip_by_itself(rng):
    values = rng.uniform(1, 2, (3, 253)).astype(np.float32)
    assert first_step(values, NAMES, "none") is values
    assert first_step(values, NAMES, "speaker") is values
    assert np.array_equal(first_step(values, NAMES, "relative"), relative(values, NAMES))


def test_nothing_is_divided_by_nothing():
    assert inverse(np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


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
