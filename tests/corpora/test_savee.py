from collections.abc import Iterable
from itertools import product
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora.savee import claims, parse
from ser_pipeline.records import Utterance
from tests.corpora.conftest import refusal

PER_EMOTION = dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 60) | {
    "neutral": 120
}
PER_SPEAKER = {f"savee-{name}": 120 for name in ("DC", "JE", "JK", "KL")}


def official() -> Iterable[str]:
    """Yield every official path."""
    for speaker, emotion in product(("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")):
        for number in range(1, 31 if emotion == "n" else 16):
            yield f"AudioData/{speaker}/{emotion}{number:02d}.wav"


def test_a_path_holds_speaker_emotion_and_sentence():
    path = PurePosixPath("AudioData/JK/su07.wav")
    assert parse(path) == Utterance(
        corpus="savee",
        path=path,
        canonical="AudioData/JK/su07",
        source_label="su",
        emotion="surprise",
        speaker_id="savee-JK",
        language="en-GB",
        gender="male",
        sentence_id="su07",
    )


@pytest.mark.parametrize("path", ["DC_a01.wav", "ALL/dc_A01.WAV", "DC/DC_a01.flac", "audiodata/dc/a01.wav"])
def test_flattened_and_differently_cased_copies_have_the_same_id(path):
    row = parse(PurePosixPath(path))
    assert isinstance(row, Utterance)
    assert (row.canonical, row.speaker_id) == ("AudioData/DC/a01", "savee-DC")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a01.wav", "neither folder nor name says who speaks; valid are DC, JE, JK, KL"),
        ("AudioData/DC/JE_a01.wav", "folder says 'DC', name says 'JE'; one of them is wrong"),
        ("DC/a16.wav", "sentence of 'a' '16' does not exist; valid are 01 to 15"),
        ("DC/n31.wav", "sentence of 'n' '31' does not exist; valid are 01 to 30"),
        ("DC/a00.wav", "sentence of 'a' '00' does not exist"),
        ("DC/s01.wav", "name does not follow 'AudioData/DC/a01.wav'"),
        ("DC/a1.wav", "name does not follow"),
    ],
)
def test_a_path_that_does_not_add_up_is_a_reject(path, reason):
    assert refusal(parse(PurePosixPath(path))).startswith(reason)


def test_a_short_name_is_claimed_only_where_a_speaker_is_named():
    assert claims(PurePosixPath("x/DC/a01.wav"))
    assert claims(PurePosixPath("x/KL_n30.wav"))
    assert not claims(PurePosixPath("x/a01.wav"))
    assert not claims(PurePosixPath("DC/takes/a01.wav"))
