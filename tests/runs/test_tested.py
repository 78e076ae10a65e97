from types import SimpleNamespace

import pytest

from ser_pipeline.runs.tested import chance, few, lacking, share_tested, untested, with_clips


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
