from collections.abc import Iterable
from itertools import product
from pathlib import Path, PurePosixPath

import pytest

from ser_pipeline.corpora.tess import claims, parse
from ser_pipeline.records import Utterance
from tests.corpora.conftest import refusal

PER_EMOTION = dict.fromkeys(
    ("anger", "disgust", "fear", "happiness", "neutral", "surprise", "sadness"), 400
)  # fmt: skip
PER_SPEAKER = {"tess-OAF": 1400, "tess-YAF": 1400}


def official() -> Iterable[str]:
    """Yield every official path."""
    older = ("Fear", "Pleasant_surprise", "Sad", "angry", "disgust", "happy", "neutral")
    younger = ("angry", "disgust", "fear", "happy", "neutral", "pleasant_surprised", "sad")
    folders = [f"OAF_{emotion}" for emotion in older] + [f"YAF_{emotion}" for emotion in younger]
    words = (Path(__file__).parent / "names" / "tess_words.txt").read_text().split()
    for folder, word in product(folders, words):
        actress, emotion = folder.lower().split("_", 1)
        code = "ps" if "surprise" in emotion else emotion
        prefix = "OA" if (folder, word) == ("OAF_neutral", "bite") else actress.upper()
        yield f"{folder}/{prefix}_{word}_{code}.wav"


def row_of(path: str) -> Utterance:
    row = parse(PurePosixPath(path))
    assert isinstance(row, Utterance)
    return row


def test_a_name_holds_actress_word_and_emotion():
    path = "YAF_pleasant_surprised/YAF_youth_ps.wav"
    assert row_of(path) == Utterance(
        corpus="tess",
        path=PurePosixPath(path),
        canonical="YAF_pleasant_surprised/YAF_youth_ps",
        source_label="ps",
        emotion="surprise",
        speaker_id="tess-YAF",
        language="en-CA",
        gender="female",
        age=26,
        sentence_id="youth",
        text="Say the word youth",
    )


@pytest.mark.parametrize(
    "path",
    [
        "OAF_Pleasant_surprise/OAF_back_ps.wav",
        "OAF_pleasant_surprised/OAF_back_ps.wav",
        "oaf_ps/oaf_back_ps.wav",
        "flat/OAF_back_pleasant_surprise.flac",
        "OAF_back_Pleasant_Surprised.wav",
    ],
)
def test_pleasant_surprise_has_one_id_however_it_is_spelled(path):
    row = row_of(path)
    assert (row.canonical, row.emotion, row.age) == ("OAF_Pleasant_surprise/OAF_back_ps", "surprise", 64)


def test_canonical_folders_keep_their_official_case():
    assert row_of("OAF_back_fear.wav").canonical == "OAF_Fear/OAF_back_fear"
    assert row_of("oaf_SAD/OAF_back_sad.wav").canonical == "OAF_Sad/OAF_back_sad"
    assert row_of("YAF_back_fear.wav").canonical == "YAF_fear/YAF_back_fear"


@pytest.mark.parametrize("name", ["OA_bite_neutral", "OAF_bite_neutral"])
def test_the_one_odd_official_name_and_its_repair_are_the_same_recording(name):
    row = row_of(f"OAF_neutral/{name}.wav")
    assert (row.canonical, row.speaker_id) == ("OAF_neutral/OA_bite_neutral", "tess-OAF")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("OAF_back_bored.wav", "emotion 'bored' does not exist; valid are angry, disgust"),
        ("OAF_sad/OAF_back_angry.wav", "folder says 'OAF_sad', name says 'OAF_angry'; one of them is wrong"),
        ("YAF_angry/OAF_back_angry.wav", "folder says 'YAF_angry', name says 'OAF_angry'"),
        ("OAF_angry/MAF_back_angry.wav", "name does not follow 'OAF_angry/OAF_back_angry.wav'"),
    ],
)
def test_a_name_that_does_not_add_up_is_a_reject(path, reason):
    assert refusal(parse(PurePosixPath(path))).startswith(reason)


def test_the_name_alone_is_claimed():
    assert claims(PurePosixPath("anywhere/OAF_back_ps.wav"))
    assert not claims(PurePosixPath("OAF_angry/back.wav"))
