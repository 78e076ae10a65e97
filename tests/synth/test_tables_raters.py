import numpy as np
import pytest

from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.layouts import SIZES, planned
from ser_pipeline.synth.tables import AFFECT, Votes, affect, cast_votes, hearing, recognised

CLIPS = planned("cremad", SIZES["medium"])
CLASSES = ("anger", "disgust", "fear", "happiness", "neutral", "sadness")


def test_votes_count_ties_and_levels():
    votes = Votes(("anger", "fear", "anger", "fear", "neutral"), (50, 20, 70, 40, 10))
    assert votes.winners == ("anger", "fear")
    assert votes.mean_level("anger") == 60
    assert votes.mean_level("sadness") == -1


def test_raters_mostly_hear_what_was_meant_but_not_always():
    votes = [cast_votes(clip, CLASSES, 7, "voice", sharpness=0.5) for clip in CLIPS]
    shares = [v.counts[clip.part.emotion] / len(v.answers) for v, clip in zip(votes, CLIPS, strict=True)]
    assert 0.4 < np.mean(shares) < 0.85
    assert {len(v.answers) for v in votes} == set(range(8, 13))
    assert all(1 <= level <= 100 for v in votes for level in v.levels)


def test_sharper_raters_agree_more():
    blunt, sharp = (np.mean([hearing(c, CLASSES, 7, sharpness=s).max() for c in CLIPS]) for s in (0.5, 3.0))
    assert sharp > blunt + 0.1


def test_listeners_percentages_come_in_steps_of_twenty_listeners():
    for clip in CLIPS[:20]:
        for share in recognised(clip, CLASSES, 7):
            assert 0 <= share <= 100
            assert share % 5 == 0


@pytest.mark.parametrize("code", sorted(AFFECT))
def test_affect_stays_on_the_scale_around_the_label(code):
    values = np.array([affect(code, named_rng(code, n)) for n in range(300)])
    assert values.min() >= 1
    assert values.max() <= 5
    assert values.mean(axis=0) == pytest.approx(AFFECT[code], abs=0.2)
