"""Described corpora that need no folder of their own: what names and folders say, and whether they agree."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path, PurePosixPath

import pytest

from ser_pipeline.corpora import described
from ser_pipeline.records import Reject, Utterance
from tests.corpora.conftest import refusal

CORPORA = described()


def _channel(channel: str, emotions: Iterable[int], actors: Iterable[int]) -> Iterable[str]:
    for actor, emotion, *rest in product(actors, emotions, (1, 2), (1, 2), (1, 2)):
        if (emotion, rest[0]) != (1, 2):
            codes = "-".join(f"{code:02d}" for code in (emotion, *rest, actor))
            yield f"Actor_{actor:02d}/03-{channel}-{codes}.wav"


def _savee() -> Iterable[str]:
    for speaker, emotion in product(("DC", "JE", "JK", "KL"), ("a", "d", "f", "h", "n", "sa", "su")):
        for number in range(1, 31 if emotion == "n" else 16):
            yield f"AudioData/{speaker}/{emotion}{number:02d}.wav"


def _tess() -> Iterable[str]:
    older = ("Fear", "Pleasant_surprise", "Sad", "angry", "disgust", "happy", "neutral")
    younger = ("angry", "disgust", "fear", "happy", "neutral", "pleasant_surprised", "sad")
    folders = [f"OAF_{emotion}" for emotion in older] + [f"YAF_{emotion}" for emotion in younger]
    words = (Path(__file__).parent / "names" / "tess_words.txt").read_text().split()
    for folder, word in product(folders, words):
        actress, emotion = folder.lower().split("_", 1)
        code = "ps" if "surprise" in emotion else emotion
        prefix = "OA" if (folder, word) == ("OAF_neutral", "bite") else actress.upper()
        yield f"{folder}/{prefix}_{word}_{code}.wav"


OFFICIAL: Mapping[str, Callable[[], Iterable[str]]] = {
    "ravdess": lambda: _channel("01", range(1, 9), range(1, 25)),
    "ravdess-song": lambda: _channel("02", range(1, 7), [actor for actor in range(1, 25) if actor != 18]),
    "savee": _savee,
    "tess": _tess,
}
"""Corpus id -> every official path."""


def row_of(name: str, path: str) -> Utterance:
    row = CORPORA[name].parse(PurePosixPath(path))
    assert isinstance(row, Utterance), row
    return row


FEAR = "Actor_12/03-01-06-02-01-02-12"
CALM = "Actor_24/03-02-02-02-02-01-24"
YOUTH = "YAF_pleasant_surprised/YAF_youth_ps"


@pytest.mark.parametrize(
    ("name", "path", "facts"),
    [
        ("ravdess", FEAR, {
            "source_label": "06", "emotion": "fear", "speaker_id": "ravdess-12", "language": "en-US",
            "intensity": "high", "gender": "female", "sentence_id": "01", "take": "02",
            "text": "Kids are talking by the door",
        }),
        ("ravdess-song", CALM, {
            "source_label": "02", "emotion": "calm", "speaker_id": "ravdess-24", "language": "en-US",
            "modality": "song", "intensity": "high", "gender": "female", "sentence_id": "02", "take": "01",
            "text": "Dogs are sitting by the door",
        }),
        ("savee", "AudioData/JK/su07", {
            "source_label": "su", "emotion": "surprise", "speaker_id": "savee-JK", "language": "en-GB",
            "gender": "male", "sentence_id": "su07",
        }),
        ("tess", YOUTH, {
            "source_label": "ps", "emotion": "surprise", "speaker_id": "tess-YAF", "language": "en-CA",
            "gender": "female", "age": 26, "sentence_id": "youth", "text": "Say the word youth",
        }),
        ("nemo", "samples/WR0_surprised_64", {
            "source_label": "surprised", "emotion": "surprise", "speaker_id": "nemo-WR0", "language": "pl",
            "gender": "male", "age": 23, "sentence_id": "64",
        }),
        ("emodb", "wav/15b03Lc", {
            "source_label": "L", "emotion": "boredom", "speaker_id": "emodb-15", "language": "de",
            "gender": "male", "age": 25, "sentence_id": "b03", "take": "c",
            "text": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
        }),
    ],
)  # fmt: skip
def test_a_name_says_everything(name, path, facts):
    file = PurePosixPath(f"{path}.wav")
    assert CORPORA[name].parse(file) == Utterance(corpus=name, path=file, canonical=path, **facts)


@pytest.mark.parametrize(
    ("actor", "gender"), [("01", "male"), ("02", "female"), ("23", "male"), ("24", "female")]
)
def test_odd_actors_are_men(actor, gender):
    for name, channel in (("ravdess", "01"), ("ravdess-song", "02")):
        row = row_of(name, f"03-{channel}-01-01-01-01-{actor}.wav")
        assert (row.gender, row.intensity) == (gender, "normal")


@pytest.mark.parametrize(
    ("name", "paths", "canonical"),
    [
        ("ravdess", ["flat/03-01-05-01-02-01-07.wav", "ACTOR_07/x/03-01-05-01-02-01-07.wav"],
         "Actor_07/03-01-05-01-02-01-07"),
        ("savee", ["DC_a01.wav", "ALL/dc_A01.WAV", "DC/DC_a01.flac", "audiodata/dc/a01.wav"],
         "AudioData/DC/a01"),
        ("tess", ["OAF_Pleasant_surprise/OAF_back_ps.wav", "OAF_pleasant_surprised/OAF_back_ps.wav",
                  "oaf_ps/oaf_Back_ps.wav", "flat/OAF_back_pleasant_surprise.flac",
                  "OAF_back_Pleasant_Surprised.wav"], "OAF_Pleasant_surprise/OAF_back_ps"),
        ("tess", ["OAF_back_fear.wav"], "OAF_Fear/OAF_back_fear"),
        ("tess", ["oaf_SAD/OAF_back_sad.wav"], "OAF_Sad/OAF_back_sad"),
        ("tess", ["YAF_back_fear.wav"], "YAF_fear/YAF_back_fear"),
        ("tess", ["OAF_neutral/OA_bite_neutral.wav", "OAF_neutral/OAF_bite_neutral.wav"],
         "OAF_neutral/OA_bite_neutral"),
    ],
)  # fmt: skip
def test_flattened_copies_and_other_spellings_have_the_official_id(name, paths, canonical):
    rows = [row_of(name, path) for path in paths]
    assert {row.canonical for row in rows} == {canonical}
    assert len({(row.speaker_id, row.source_label, row.sentence_id, row.age) for row in rows}) == 1


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        *(("ravdess", f"Actor_01/{stem}.wav", reason) for stem, reason in (
            ("01-01-05-01-02-01-01", "its modality is video; only 03 (audio only) is read"),
            ("02-01-05-01-02-01-01", "its modality is video"),
            ("03-02-05-01-02-01-01", "name does not follow 'Actor_01/03-01-05-01-02-01-01.wav'"),
            ("03-03-05-01-02-01-01", "its channel does not exist; valid are 01 (speech) and 02 (song)"),
            ("03-01-09-01-02-01-01", "emotion '09' does not exist; valid are 01, 02"),
            ("03-01-05-03-02-01-01", "intensity '03' does not exist; valid are 01, 02"),
            ("03-01-05-01-03-01-01", "sentence '03' does not exist; valid are 01, 02"),
            ("03-01-05-01-02-00-01", "take '00' does not exist; valid are 01, 02"),
            ("03-01-01-02-02-01-01", "neutral (01) has no strong intensity (02)"),
            ("03-01-05-01-02-01", "name does not follow"),
        )),
        ("ravdess", "03-01-05-01-02-01-25.wav", "speaker '25' does not exist; valid are 01, 02"),
        *(("ravdess", f"{folder}/03-01-05-01-02-01-07.wav",
           "its folder says speaker '05', the name says '07'; one is wrong")
          for folder in ("Actor_05", "actor_05/takes", "x/ACTOR_05", "Actor_07/Actor_05")),
        ("ravdess-song", "03-01-05-01-02-01-01.wav", "name does not follow 'Actor_01/03-02-05-01-02-01-01"),
        ("ravdess-song", "03-02-07-01-02-01-01.wav", "emotion '07' does not exist; valid are 01, 02, 03, 04"),
        ("ravdess-song", "03-02-05-01-02-01-18.wav", "speaker '18' does not exist; valid are 01"),
        ("ravdess-song", "01-02-05-01-02-01-01.wav", "its modality is video"),
        ("ravdess-song", "03-02-01-02-02-01-01.wav", "neutral (01) has no strong intensity (02)"),
        ("savee", "a01.wav", "name does not follow 'AudioData/DC/a01.wav'"),
        ("savee", "AudioData/DC/JE_a01.wav", "its folder says speaker 'DC', the name says 'JE'; one is"),
        ("savee", "DC/a16.wav", "its sentence does not exist; valid are 01 to 15, and to 30 of neutral (n)"),
        ("savee", "DC/sa16.wav", "its sentence does not exist"),
        ("savee", "DC/n31.wav", "its sentence does not exist"),
        ("savee", "DC/a00.wav", "its sentence does not exist"),
        ("savee", "DC/s01.wav", "name does not follow 'AudioData/DC/a01.wav'"),
        ("savee", "DC/a1.wav", "name does not follow"),
        ("tess", "OAF_back_bored.wav", "emotion 'bored' does not exist; valid are angry, disgust"),
        ("tess", "OAF_angry/OAF_back_anger.wav", "emotion 'anger' does not exist"),
        ("tess", "OAF_sad/OAF_back_angry.wav", "its folder says emotion 'sad', the name says 'angry'"),
        ("tess", "YAF_angry/OAF_back_angry.wav", "its folder says speaker 'YAF', the name says 'OAF'"),
        ("tess", "OAF_angry/MAF_back_angry.wav", "name does not follow 'OAF_angry/OAF_back_angry.wav'"),
        ("nemo", "samples/XX0_anger_1.wav", "speaker 'XX0' does not exist; valid are EB0, IC0"),
        ("nemo", "samples/WR0_joy_1.wav", "emotion 'joy' does not exist; valid are anger, fear"),
        ("nemo", "samples/WR0_anger_91.wav", "name does not follow 'samples/WR0_surprised_64.wav'"),
        ("nemo", "samples/WR0_anger_01.wav", "name does not follow 'samples/WR0_surprised_64.wav'"),
        ("emodb", "wav/04a01Fa.wav", "speaker '04' does not exist; valid are 03, 08, 09"),
        ("emodb", "wav/03a03Fa.wav", "sentence 'a03' does not exist; valid are a01, a02, a04"),
        ("emodb", "wav/03a01Xa.wav", "emotion 'X' does not exist; valid are W, L, E, A, F, T, N"),
        ("emodb", "wav/03a01fa.wav", "name does not follow 'wav/03a01Fa.wav'"),
        ("emodb", "wav/03a01Fa copy.wav", "name does not follow"),
    ],
)  # fmt: skip
def test_a_path_that_does_not_add_up_is_a_reject(name, path, reason):
    row = CORPORA[name].parse(PurePosixPath(path))
    assert refusal(row).startswith(reason)
    assert row.corpus == name


@pytest.mark.parametrize(
    ("name", "claimed", "others"),
    [
        ("ravdess", ["03-01-05-01-02-01-07", "03-07-05-01-02-01-07"], ["03-02-05-01-02-01-07"]),
        ("ravdess-song", ["RAVDESS/Actor_01/03-02-05-01-02-01-01"],
         ["RAVDESS-Song/Actor_01/03-01-05-01-02-01-01"]),
        ("savee", ["x/DC/a01", "x/KL_n30"], ["x/a01", "DC/takes/a01"]),
        ("tess", ["anywhere/OAF_back_ps"], ["OAF_angry/back"]),
    ],
)  # fmt: skip
def test_claimed_are_names_that_say_enough(name, claimed, others):
    assert all(CORPORA[name].claims(PurePosixPath(f"{path}.wav")) for path in claimed)
    assert not any(CORPORA[name].claims(PurePosixPath(f"{path}.wav")) for path in others)


def test_scanned_alone_a_mixed_folder_gives_the_songs_as_rejects(put):
    root = put("Actor_01/03-01-05-01-02-01-01.wav", "Actor_01/03-02-05-01-02-01-01.flac")
    speech, song = CORPORA["ravdess"].scan(root)
    assert isinstance(speech, Utterance)
    assert isinstance(song, Reject)
    (sung,) = CORPORA["ravdess-song"].scan(root, [song.path])
    assert isinstance(sung, Utterance)
