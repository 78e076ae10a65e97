import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from ser_pipeline.datasets.scaling import Scaling, first_step, inverse, learn_scaling
from ser_pipeline.errors import RunError
from ser_pipeline.features.catalogue import NAMES
from ser_pipeline.features.relative import relative


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
