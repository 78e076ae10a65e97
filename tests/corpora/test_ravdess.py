from collections.abc import Iterable
from itertools import product
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora.ravdess import claims, parse, scan
from ser_pipeline.records import Reject, Utterance
from tests.corpora.conftest import refusal

PER_EMOTION = dict.fromkeys(
    ("calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), 192
) | {"neutral": 96}  # fmt: skip
PER_SPEAKER = {f"ravdess-{actor:02d}": 60 for actor in range(1, 25)}


def official() -> Iterable[str]:
    """Yield every official path."""
    return of_channel("01", range(1, 9), range(1, 25))


def of_channel(channel: str, emotions: Iterable[int], actors: Iterable[int]) -> Iterable[str]:
    """Yield every path of one channel."""
    for actor, emotion, *rest in product(actors, emotions, (1, 2), (1, 2), (1, 2)):
        intensity, statement, repetition = rest
        if (emotion, intensity) != (1, 2):
            codes = (emotion, intensity, statement, repetition, actor)
            yield f"Actor_{actor:02d}/03-{channel}-" + "-".join(f"{code:02d}" for code in codes) + ".wav"


def test_a_name_holds_seven_codes():
    path = PurePosixPath("Actor_12/03-01-06-02-01-02-12.wav")
    assert parse(path) == Utterance(
        corpus="ravdess",
        path=path,
        canonical="Actor_12/03-01-06-02-01-02-12",
        source_label="06",
        emotion="fear",
        speaker_id="ravdess-12",
        language="en-US",
        intensity="high",
        gender="female",
        sentence_id="01",
        text="Kids are talking by the door",
        take="02",
    )


@pytest.mark.parametrize(
    ("actor", "gender"), [("01", "male"), ("02", "female"), ("23", "male"), ("24", "female")]
)
def test_odd_actors_are_men(actor, gender):
    row = parse(PurePosixPath(f"03-01-01-01-01-01-{actor}.wav"))
    assert isinstance(row, Utterance)
    assert row.gender == gender


@pytest.mark.parametrize("code", ["02", "03", "04", "05", "06", "07", "08"])
def test_strong_is_high_and_every_emotion_but_neutral_has_it(code):
    rows = [parse(PurePosixPath(f"03-01-{code}-{intensity}-02-01-01.wav")) for intensity in ("01", "02")]
    assert [row.intensity for row in rows if isinstance(row, Utterance)] == ["normal", "high"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("01-01-05-01-02-01-01", "modality 01 is video; only 03 (audio only) is read"),
        ("02-01-05-01-02-01-01", "modality 02 is video; only 03 (audio only) is read"),
        ("03-02-05-01-02-01-01", "channel 02 is not speech; ravdess-song reads it"),
        ("03-03-05-01-02-01-01", "channel '03' does not exist; valid are 01, 02"),
        ("03-01-09-01-02-01-01", "emotion '09' does not exist; valid are 01, 02"),
        ("03-01-05-03-02-01-01", "intensity '03' does not exist; valid are 01, 02"),
        ("03-01-05-01-03-01-01", "statement '03' does not exist; valid are 01, 02"),
        ("03-01-05-01-02-00-01", "repetition '00' does not exist; valid are 01, 02"),
        ("03-01-05-01-02-01-25", "actor '25' does not exist; valid are 01, 02"),
        ("03-01-01-02-02-01-01", "neutral (01) has no strong intensity (02)"),
        ("03-01-05-01-02-01", "name does not follow 'Actor_01/03-01-05-01-02-01-01.wav'"),
    ],
)
def test_a_code_that_does_not_exist_is_a_reject(name, reason):
    assert refusal(parse(PurePosixPath(f"Actor_01/{name}.wav"))).startswith(reason)


@pytest.mark.parametrize("folder", ["Actor_05", "actor_05/takes", "x/ACTOR_05"])
def test_a_folder_that_names_another_actor_is_a_reject(folder):
    row = parse(PurePosixPath(folder) / "03-01-05-01-02-01-07.wav")
    assert isinstance(row, Reject)
    assert row.reason == "folder says 'actor 05', name says '07'; one of them is wrong"


def test_a_file_outside_any_actor_folder_goes_by_its_name():
    row = parse(PurePosixPath("flat/03-01-05-01-02-01-07.wav"))
    assert isinstance(row, Utterance)
    assert row.canonical == "Actor_07/03-01-05-01-02-01-07"


def test_every_channel_but_song_is_claimed():
    assert claims(PurePosixPath("03-01-05-01-02-01-07.wav"))
    assert claims(PurePosixPath("03-07-05-01-02-01-07.wav"))
    assert not claims(PurePosixPath("03-02-05-01-02-01-07.wav"))


def test_scanned_alone_a_mixed_folder_gives_the_songs_as_rejects(put):
    speech, song = scan(put("Actor_01/03-01-05-01-02-01-01.wav", "Actor_01/03-02-05-01-02-01-01.wav"))
    assert isinstance(speech, Utterance)
    assert isinstance(song, Reject)
