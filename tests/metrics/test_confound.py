import numpy as np

from ser_pipeline.metrics import class_counts, majority_guess


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
