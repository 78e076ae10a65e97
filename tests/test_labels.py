import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.errors import LabelError
from ser_pipeline.labels import (
    EMOTIONS,
    TASKS,
    Task,
    distance_matrix,
    emotion_id,
    emotion_name,
    parse_merges,
    task_named,
)

PUBLISHED = {
    "anger": 0, "happiness": 1, "neutral": 2, "sadness": 3, "fear": 4, "surprise": 5, "disgust": 6,
    "calm": 7, "boredom": 8, "excitement": 9, "frustration": 10, "contempt": 11, "other": -1,
}  # fmt: skip
MERGES = {"calm": "neutral", "excitement": "happiness"}


@pytest.mark.parametrize(("name", "identity"), PUBLISHED.items())
def test_published_ids_never_change(name, identity):
    assert emotion_id(name) == identity
    assert emotion_name(identity) == name


def test_no_emotion_is_unpublished():
    assert set(EMOTIONS) | {"other"} == set(PUBLISHED)


def test_unknown_names_and_ids_say_what_is_valid():
    with pytest.raises(LabelError, match="emotion 'joy' does not exist; valid are anger"):
        emotion_id("joy")
    with pytest.raises(LabelError, match="emotion id 12 does not exist; valid are -1 to 11"):
        emotion_name(12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("calm", "not 'source=target'"),
        ("calm=calm", "not 'source=target'"),
        ("calm=peace", "'peace' does not exist"),
        ("calm=neutral,neutral=boredom", "goes into a merged emotion"),
        ("calm=neutral,calm=boredom", "merge of 'calm' goes into neutral and boredom; name one of them"),
    ],
)
def test_wrong_merges_are_refused(text, message):
    with pytest.raises(LabelError, match=message):
        parse_merges(text)


def test_classes_follow_the_tasks_order_and_merges():
    task = task_named("4class").merged(MERGES)
    assert task.class_of == {0: 0, 1: 1, 2: 2, 3: 3, 7: 2, 9: 1}


def test_merges_that_do_not_concern_a_task_are_left_out():
    assert Task("two", ("anger", "sadness")).merged(MERGES).merges == {}


def test_the_iemocap_task_counts_excitement_as_happiness():
    assert TASKS["iemocap4"].class_of[emotion_id("excitement")] == 1


@pytest.mark.parametrize(
    ("emotions", "merges", "message"),
    [
        ((), {}, "task 'mine' has no emotion; it needs at least two"),
        (("anger",), {}, r"task 'mine' has one emotion \(anger\); it needs at least two"),
        (("anger", "anger"), {}, r"task 'mine' has one emotion \(anger\); it needs at least two"),
        (("anger", "fear", "fear"), {}, r"task 'mine' names an emotion twice \(anger, fear, fear\)"),
        (("anger", "joy"), {}, "'joy' does not exist"),
        (("anger", "other"), {}, "task 'mine': 'other' is not an emotion that a model can predict"),
        (("anger", "sadness"), {"calm": "neutral"}, "must lead from an emotion outside"),
        (("anger", "sadness"), {"anger": "sadness"}, "must lead from an emotion outside"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(emotions, merges, message):
    with pytest.raises(LabelError, match=message):
        Task("mine", emotions, merges)


def test_unknown_tasks_name_the_valid_ones():
    with pytest.raises(
        LabelError, match="task '5class' does not exist; valid are 4class, 6class, iemocap4, all, mine"
    ):
        task_named("5class", {"mine": ("anger", "calm")})
    with pytest.raises(LabelError, match=r"ser.toml defines, as in \[tasks\] mine = \['anger', 'fear'\]"):
        task_named("anger, fear")
    assert task_named("mine", {"mine": ("anger", "calm")}).emotions == ("anger", "calm")


@pytest.mark.parametrize("size", [4, 6])
def test_published_matrices_are_symmetric_with_a_diagonal_of_one(size):
    matrix = np.array(distance_matrix(EMOTIONS[:size]))
    assert np.array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 1).all()


def test_the_larger_matrix_extends_the_smaller():
    assert np.array_equal(np.array(distance_matrix(EMOTIONS[:6]))[:4, :4], distance_matrix(EMOTIONS[:4]))


@given(st.permutations(EMOTIONS[:6]))
def test_the_matrix_follows_the_order_asked_for(order):
    matrix, whole = np.array(distance_matrix(order)), np.array(distance_matrix(EMOTIONS[:6]))
    place = [EMOTIONS.index(name) for name in order]
    assert np.array_equal(matrix, whole[np.ix_(place, place)])


def test_a_task_without_a_matrix_is_refused():
    with pytest.raises(LabelError, match="no distance matrix holds anger, boredom"):
        distance_matrix(["anger", "boredom"])
