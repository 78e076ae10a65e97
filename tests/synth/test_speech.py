import numpy as np
import pytest

from ser_pipeline.synth import speech
from ser_pipeline.synth.folders import named_rng
from ser_pipeline.synth.speech import LANGUAGE_VOWELS, VOWELS, sentence

SOUNDS = sentence("en", "melody/1")


def lengths(rate=1.0, **options):
    return speech.durations(SOUNDS, rate, named_rng("d"), **options)


def test_speaking_faster_shortens_vowels_more_than_consonants():
    ratio = lengths(2.0) / lengths(1.0)
    vowels = np.array([sound.vowel for sound in SOUNDS])
    pauses = np.array([sound.pause for sound in SOUNDS])
    assert ratio[vowels] == pytest.approx(2**-1.2)
    assert ratio[pauses] == pytest.approx(2**-1.6)
    assert ratio[~vowels & ~pauses] == pytest.approx(2**-0.8)


def test_a_sung_sentence_is_longer():
    assert lengths(sung=True).sum() > 1.3 * lengths().sum()


def test_frames_belong_to_the_sound_at_their_time():
    times, owner = speech.frame_sounds(np.array([0.1, 0.05, 0.1]))
    assert np.bincount(owner).tolist() == [20, 10, 20]
    assert times[:2] == pytest.approx([0.0025, 0.0075])


def test_smoothing_keeps_constants_and_never_overshoots(rng):
    assert speech.smooth(np.full(50, 3.0), 0.05) == pytest.approx(3.0)
    steps = np.repeat(rng.normal(size=10), 20)
    smoothed = speech.smooth(steps, 0.05)
    assert smoothed.shape == steps.shape
    assert steps.min() <= smoothed.min() <= smoothed.max() <= steps.max()


def spoken(**changes):
    options = {"accent_st": 2.0, "final_st": 0.0, "tremor_st": 0.0} | changes
    return speech.spoken_pitch(SOUNDS, lengths(), **options, rng=named_rng("p"))


def test_a_wider_range_spreads_the_pitch_around_the_same_mean():
    assert spoken(accent_st=6.0).std() > 2 * spoken(accent_st=1.5).std()
    assert spoken(accent_st=6.0).mean() == pytest.approx(spoken(accent_st=1.5).mean(), abs=1e-9)


def test_the_final_movement_is_added_at_the_end_alone():
    added = spoken(final_st=5.0) - spoken()
    assert added[-1] == pytest.approx(5.0, abs=0.2)
    assert added[: len(added) // 2] == pytest.approx(0.0)


def test_tremor_has_the_given_size_and_rate():
    tremor = spoken(tremor_st=1.0) - spoken()
    assert np.abs(tremor).max() == pytest.approx(1.0, abs=0.02)
    crossings = np.count_nonzero(np.diff(np.signbit(tremor))) / (len(tremor) / speech.CONTROL_HZ)
    assert 2 * 5.5 < crossings < 2 * 9.5


def test_notes_lie_on_the_scale():
    seconds = lengths(sung=True)
    contour = speech.sung_pitch(
        SOUNDS, seconds, tune="t", minor=False, spread=1.0, vibrato_st=0.0, rng=named_rng("s")
    )
    _, owner = speech.frame_sounds(seconds)
    middles = [np.median(contour[owner == n]) for n, sound in enumerate(SOUNDS) if sound.vowel]
    nearest = np.rint(middles)
    assert np.abs(middles - nearest).max() < 0.35  # the voice drifts by less than a third of a semitone
    assert set((nearest % 12).astype(int)) <= {0, 2, 4, 5, 7, 9}


def test_vibrato_swings_the_pitch():
    still, swinging = (
        speech.sung_pitch(
            SOUNDS, lengths(sung=True), tune="t", minor=True, spread=1.0, vibrato_st=size, rng=named_rng("s")
        )
        for size in (0.0, 0.5)
    )
    assert np.abs(swinging - still).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("language", sorted(LANGUAGE_VOWELS))
def test_a_sentence_is_syllables_of_its_language_with_one_pause(language):
    sounds = sentence(language, "any/1")
    vowels = [sound for sound in sounds if sound.vowel]
    assert 5 <= len(vowels) <= 7
    assert {sound.formants_hz for sound in vowels} <= {VOWELS[name] for name in LANGUAGE_VOWELS[language]}
    assert sum(sound.pause for sound in sounds) == 1
    assert not sounds[-1].pause
    assert 2 <= sum(sound.stressed for sound in sounds) <= 4


def test_sentences_differ_by_name_and_keep_their_length():
    assert sentence("en", "a") == sentence("en", "a") != sentence("en", "b")
    assert sum(sound.vowel for sound in sentence("en", "a", syllables=3)) == 3


@pytest.mark.parametrize("name", sorted(VOWELS))
def test_formants_rise_from_first_to_third(name):
    first, second, third = VOWELS[name]
    assert 200 < first < second < third < 3500
