import pytest

from ser_pipeline.acquire.synth.phones import LANGUAGE_VOWELS, VOWELS, sentence


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
