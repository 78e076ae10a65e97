import numpy as np
import pytest
from sklearn import metrics as sk

from ser_pipeline.labels import EMOTIONS, distance_matrix
from ser_pipeline.metrics import (
    accuracy,
    class_counts,
    confusion_matrix,
    f1,
    macro_f1,
    majority_guess,
    mean_error_distance,
    most_confused,
    precision,
    recall,
    uar,
)


@pytest.fixture
def decisions(rng):
    targets = rng.choice(5, 300, p=[0.4, 0.3, 0.2, 0.1, 0.0])  # class 4 never occurs
    predicted = np.where(rng.random(300) < 0.6, targets, rng.integers(0, 5, 300))
    return targets, predicted


def test_confusion_is_that_of_scikit_learn(decisions):
    assert (confusion_matrix(*decisions, 5) == sk.confusion_matrix(*decisions, labels=range(5))).all()


def test_scores_are_those_of_scikit_learn(decisions):
    targets, predicted = decisions
    confusion = confusion_matrix(targets, predicted, 5)
    present = np.unique(targets)
    assert accuracy(confusion) == pytest.approx(sk.accuracy_score(targets, predicted))
    assert uar(confusion) == pytest.approx(
        sk.recall_score(targets, predicted, labels=present, average="macro")
    )
    expected = sk.f1_score(targets, predicted, labels=present, average="macro", zero_division=0)
    assert macro_f1(confusion) == pytest.approx(expected)


def test_scores_by_class_are_those_of_scikit_learn(decisions):
    confusion = confusion_matrix(*decisions, 5)
    expected = sk.precision_recall_fscore_support(*decisions, labels=range(5), zero_division=0)
    for found, wanted in zip((precision, recall, f1), expected, strict=False):
        assert found(confusion) == pytest.approx(wanted)


def test_uar_is_balanced_accuracy(rng):
    targets, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    confusion = confusion_matrix(targets, predicted, 4)
    assert uar(confusion) == pytest.approx(sk.balanced_accuracy_score(targets, predicted))


@pytest.mark.parametrize("score", [accuracy, uar, macro_f1])
def test_many_matrices_at_once_give_what_each_gives_alone(score, rng):
    confusions = rng.integers(1, 9, (6, 3, 3))
    confusions[0, 1] = confusions[2, 0] = 0  # classes without a clip, which are decided for all the same
    assert score(confusions) == pytest.approx([float(score(one)) for one in confusions])


@pytest.mark.parametrize("score", [accuracy, uar, macro_f1])
def test_no_clips_give_zero(score):
    assert score(np.zeros((3, 3), np.int64)) == 0


@pytest.mark.parametrize("score", [accuracy, uar, macro_f1])
def test_one_clip_is_enough_for_a_score(score):
    assert score(confusion_matrix([1], [1], 3)) == 1
    assert score(confusion_matrix([1], [2], 3)) == 0


def test_each_corpus_is_guessed_by_its_own_training_clips(rng):
    groups = rng.choice(["a", "b"], 200)
    targets = np.where(groups == "a", rng.choice(3, 200, p=[0.1, 0.8, 0.1]), 2)
    counts = class_counts(groups, targets, 3)
    assert counts["b"][2] == (groups == "b").sum()
    assert majority_guess(["b", "a", "a"], counts, 3).tolist() == [2, 1, 1]


def test_an_unseen_corpus_gets_the_commonest_class_of_all():
    counts = {"a": (3, 0), "b": (0, 5)}
    assert majority_guess(["c"], counts, 2).tolist() == [1]
    assert majority_guess(["c"], {}, 2).tolist() == [0]


def test_ties_go_to_the_lower_class():
    assert majority_guess(["a"], {"a": (2, 2)}, 2).tolist() == [0]


def test_is_the_mean_over_wrong_decisions(rng):
    distances = np.array(distance_matrix(EMOTIONS[:4]))
    targets, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    wrong = targets != predicted
    expected = distances[targets[wrong], predicted[wrong]].mean()
    assert mean_error_distance(confusion_matrix(targets, predicted, 4), distances) == pytest.approx(expected)


def test_one_error_is_as_far_as_it_goes():
    assert mean_error_distance(confusion_matrix([0, 0], [0, 1], 2), [[0.0, 0.3], [0.6, 0.0]]) == 0.3


def test_without_errors_there_is_no_distance():
    assert mean_error_distance(np.diag([3, 4]), np.ones((2, 2))) is None


def test_confused_pairs_come_by_share_of_the_true_class(rng):
    counts = rng.integers(0, 9, (4, 4))
    shares = counts / counts.sum(1, keepdims=True)
    np.fill_diagonal(shares, 0)
    found = most_confused(counts.tolist(), list("abcd"))
    assert [pair.share for pair in found] == pytest.approx(np.sort(shares.ravel())[::-1][:3])
    for pair in found:
        row, column = "abcd".index(pair.target), "abcd".index(pair.predicted)
        assert pair.clips == counts[row, column]
    assert most_confused(np.diag([3, 0, 5]).tolist(), list("abc")) == []


def test_pairs_with_the_same_share_come_by_name():
    found = most_confused([[2, 1, 1], [1, 3, 0], [1, 0, 3]], ["c", "b", "a"], limit=9)
    assert [(pair.target, pair.predicted) for pair in found] == [
        ("a", "c"), ("b", "c"), ("c", "a"), ("c", "b"),
    ]  # fmt: skip
