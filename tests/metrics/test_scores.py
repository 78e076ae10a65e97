import numpy as np
import pytest
from sklearn import metrics as sk

from ser_pipeline.metrics import accuracy, confusion_matrix, f1, macro_f1, precision, recall, uar


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
    confusions = rng.integers(0, 9, (6, 3, 3))
    assert score(confusions) == pytest.approx([float(score(one)) for one in confusions])


@pytest.mark.parametrize("score", [accuracy, uar, macro_f1])
def test_no_clips_give_zero(score):
    assert score(np.zeros((3, 3), np.int64)) == 0
