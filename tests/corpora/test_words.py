"""Words of emotions, genders and columns."""

import pytest

from ser_pipeline.corpora.words import (
    emotion_of_word,
    facts_of_columns,
    gender_of_word,
    is_level,
    letters,
    plain,
)


@pytest.mark.parametrize(
    ("word", "emotion"),
    [
        ("angry", "anger"), ("Wut", "anger"), ("COLÈRE", "anger"), ("rabbia", "anger"), ("kizgin", "anger"),
        ("złość", "anger"), ("gioia", "happiness"), ("Glück", "happiness"), ("mutlu", "happiness"),
        ("joie", "happiness"), ("tristeza", "sadness"), ("smutek", "sadness"), ("üzgün", "sadness"),
        ("peur", "fear"), ("strach", "fear"), ("Überraschung", "surprise"), ("pleasant_surprise", "surprise"),
        ("ps", "surprise"), ("dégoût", "disgust"), ("nojo", "disgust"), ("neutre", "neutral"),
        ("Langeweile", "boredom"), ("pride", "other"), ("anger_1", "anger"),
        ("fröhlich", "happiness"), ("überrascht", "surprise"), ("arrabbiato", "anger"), ("furieux", "anger"),
        ("الغضب", "anger"), ("怖い", "fear"), ("netral", "neutral"), ("hot anger", "anger"),
        ("спокойный", "calm"), ("спокойствие", "calm"), ("spokojny", "calm"), ("spokoyno", "calm"),
    ],
)  # fmt: skip
def test_an_emotion_is_known_in_many_languages(word, emotion):
    assert emotion_of_word(word) == emotion


@pytest.mark.parametrize(
    "word", ["", "strong", "OAF", "xyz", "003", "kitchen", "cold", "hot", "ال", "None", "unknown"]
)
def test_other_words_are_no_emotion(word):
    assert emotion_of_word(word) is None


def test_genders_levels_and_letters():
    assert [gender_of_word(word) for word in ("F", "Mann", "donna", "child", "nan", "NaN")] == [
        "female", "male", "female", None, None, None,
    ]  # fmt: skip
    assert {gender_of_word(word) for word in ("mulher", "Vrouw", "žena", "kvinna")} == {"female"}
    assert {gender_of_word(word) for word in ("Homem", "muž", "м", "άνδρας")} == {"male"}
    assert is_level("HIGH")
    assert not is_level("sad")
    assert plain("Straße 12") == "strasse"
    assert letters("Oréau_12 (B)") == "oreau12b"


def test_columns_are_known_by_their_headings_each_for_one_fact():
    assert facts_of_columns(["Wav Path", "LABEL", "spk-id", "Start_Time", "end", "Sentence", "other"]) == {
        "path": "Wav Path", "emotion": "LABEL", "speaker": "spk-id", "text": "Sentence",
        "start": "Start_Time", "end": "end",
    }  # fmt: skip
    assert facts_of_columns(["label", "emotion"]) == {"emotion": "emotion"}
    assert facts_of_columns(["Emotion_Expressed", "spoken_text"]) == {"emotion": "Emotion_Expressed"}
    assert facts_of_columns([]) == {}


@pytest.mark.parametrize(
    "heading", ["Speaker Code", "speakers", "Speaker_1", "SprecherNr", "orig_speaker_id", "说话人编号"]
)
def test_a_column_of_speakers_is_known_by_what_stands_beside(heading):
    assert facts_of_columns([heading]) == {"speaker": heading}


@pytest.mark.parametrize("heading", ["speaker_role", "speaker_accent", "num_speakers", "participant_mood"])
def test_a_column_about_the_speaker_is_not_the_speaker(heading):
    assert facts_of_columns([heading]) == {}
