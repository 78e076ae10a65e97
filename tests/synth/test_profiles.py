import numpy as np
import pytest

from ser_pipeline.errors import LabelError
from ser_pipeline.labels import EMOTIONS, OTHER
from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.profiles import (
    CLIP_SPREAD,
    INTENSITY_SCALE,
    PROFILES,
    TRAITS,
    draw_speaker,
    draw_traits,
    heard_as,
)


def trait(emotion, name):
    return PROFILES[emotion][TRAITS.index(name)]


def test_every_emotion_has_a_profile_and_neutral_is_zero():
    assert set(PROFILES) == {*EMOTIONS, OTHER}
    assert {len(profile) for profile in PROFILES.values()} == {len(TRAITS)} == {len(CLIP_SPREAD)}
    assert set(PROFILES["neutral"]) == {0.0}


@pytest.mark.parametrize(
    ("name", "higher", "lower"),
    [
        # directions of Banse and Scherer (1996), Juslin and Laukka (2003)
        ("pitch_st", "fear", "anger"), ("pitch_st", "anger", "neutral"), ("pitch_st", "neutral", "sadness"),
        ("pitch_st", "happiness", "neutral"), ("range_log2", "happiness", "neutral"),
        ("range_log2", "neutral", "fear"), ("range_log2", "neutral", "sadness"),
        ("range_log2", "surprise", "neutral"), ("level_db", "anger", "happiness"),
        ("level_db", "happiness", "neutral"), ("level_db", "neutral", "sadness"),
        ("rate_log2", "anger", "neutral"), ("rate_log2", "fear", "neutral"),
        ("rate_log2", "neutral", "sadness"), ("rate_log2", "neutral", "disgust"),
        ("tilt_db", "neutral", "anger"), ("tilt_db", "sadness", "neutral"),
        ("rough_log2", "fear", "happiness"), ("rough_log2", "anger", "neutral"),
        ("level_db", "neutral", "boredom"), ("rate_log2", "neutral", "calm"),
    ],
)  # fmt: skip
def test_profiles_follow_the_published_directions(name, higher, lower):
    assert trait(higher, name) > trait(lower, name)


def test_a_voice_is_fixed_by_seed_and_name():
    assert draw_speaker(1, "a", "male").pitch_hz == draw_speaker(1, "a", "male").pitch_hz
    assert len({draw_speaker(seed, key, "male").pitch_hz for seed in (1, 2) for key in "ab"}) == 4


def test_women_speak_higher_and_have_shorter_tracts():
    women, men = ([draw_speaker(0, str(n), sex) for n in range(50)] for sex in ("female", "male"))
    assert np.mean([w.pitch_hz for w in women]) == pytest.approx(198, rel=0.05)
    assert np.mean([m.pitch_hz for m in men]) == pytest.approx(112, rel=0.05)
    assert np.mean([w.tract for w in women]) > np.mean([m.tract for m in men]) + 0.1


def test_traits_scatter_around_the_intended_delivery():
    speaker = draw_speaker(0, "a", "female")
    rng = named_rng("t")
    drawn = np.array([draw_traits(speaker, "anger", "high", rng) for _ in range(4000)])
    meant = INTENSITY_SCALE["high"] * speaker.use * np.array(PROFILES["anger"]) + speaker.habits["anger"]
    assert drawn.mean(axis=0) == pytest.approx(meant, abs=0.15)
    assert drawn.std(axis=0) == pytest.approx(CLIP_SPREAD, rel=0.05)


def test_intensities_are_ordered():
    scale = INTENSITY_SCALE
    assert scale["low"] < scale["normal"] < scale["unspecified"] < scale["high"]


def test_listeners_hear_a_pure_profile_and_doubt_a_mixed_one():
    names = ("anger", "sadness", "neutral")
    pure = heard_as(np.array(PROFILES["sadness"]), names)
    mixed = heard_as(0.5 * np.array(PROFILES["sadness"]), names)
    assert pure.sum() == pytest.approx(1.0)
    assert names[int(pure.argmax())] == "sadness"
    assert mixed[1] == pytest.approx(mixed[2])
    assert heard_as(np.array(PROFILES["sadness"]), names, sharpness=9.0)[1] > pure[1]


def test_an_unknown_emotion_is_refused():
    with pytest.raises(LabelError, match="emotion 'joy' has no profile; valid are neutral, anger"):
        draw_traits(draw_speaker(0, "a", "male"), "joy", "normal", named_rng("t"))
