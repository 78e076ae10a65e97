from types import SimpleNamespace

import pytest

from ser_pipeline.runs.tested import (
    answers,
    chance,
    few,
    lacking,
    share_tested,
    too_few,
    untested,
    whole_groups,
    with_clips,
    worse_calibrated,
)
from ser_pipeline.runs.types import Certainty


def scores(**clips):
    return SimpleNamespace(classes=[SimpleNamespace(emotion=name, clips=n) for name, n in clips.items()])


@pytest.mark.parametrize(
    ("clips", "guess", "share", "words"),
    [
        ({"anger": 5, "fear": 9}, 0.5, "2", ""),
        ({"anger": 16, "fear": 0}, 1.0, "1 of 2", "no test clips of fear"),
        ({"anger": 4, "fear": 9}, 0.5, "2", "few test clips of anger (4)"),
        (
            {"anger": 0, "fear": 0, "calm": 1},
            1.0,
            "1 of 3",
            "no test clips of anger or fear, and few of calm (1)",
        ),
    ],
)
def test_guessing_is_among_the_emotions_that_have_clips(clips, guess, share, words):
    found = scores(**clips)
    assert (chance(found), share_tested(found), lacking("test", found)) == (guess, share, words)


def test_every_emotion_is_tested_or_not():
    found = scores(anger=16, fear=0, calm=3)
    assert (with_clips(found), untested(found), few(found)) == (("anger", "calm"), ("fear",), ("calm (3)",))


def run_scores(clips=60, answered=0.25, threshold=0.8, **changes):
    pooled = SimpleNamespace(
        clips=clips, answered=answered, answered_accuracy=0.8, accuracy=SimpleNamespace(value=0.5),
        ece=0.1, ece_before=0.2, **changes,
    )  # fmt: skip
    known = Certainty(temperature=2.0, abstain_below=threshold)
    return SimpleNamespace(parts={"validation": SimpleNamespace(pooled=pooled)}, certainty=known)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"clips": 17}, "17 validation clips are too few to choose one"),
        ({"answered": 0.15}, "only 9 validation clips would be answered, too few to choose one"),
        ({"answered": None, "threshold": None}, "none halves the errors among at least 10 validation clips"),
    ],
)
def test_a_threshold_needs_clips_behind_it(changes, words):
    assert too_few(run_scores(**changes)) == words


def test_without_validation_clips_or_a_temperature_nothing_is_said():
    assert too_few(SimpleNamespace(parts={}, certainty=None)) == ""
    assert worse_calibrated(SimpleNamespace(parts={})) == ""


def test_answers_are_counted():
    pooled = run_scores().parts["validation"].pooled
    assert (
        answers(pooled)
        == "15 of 60 clips are answered, 3 of them wrong; without abstaining, 30 would be wrong"
    )
    pooled.answered = None
    assert answers(pooled) == ""


def test_a_temperature_that_harms_is_named():
    found = run_scores()
    assert worse_calibrated(found) == ""
    found.parts["validation"].pooled.ece = 0.314
    assert worse_calibrated(found).endswith("validation clips larger: 31.4 % instead of 20.0 %")


def test_groups_without_an_emotion_of_the_part_do_not_compare_with_others():
    part = SimpleNamespace(pooled=scores(anger=5, fear=9, calm=0))
    groups = [SimpleNamespace(emotions=number) for number in (1, 2, None, 2)]
    assert whole_groups(part, groups) == [groups[1], groups[3]]
