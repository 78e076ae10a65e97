from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora import ravdess
from ser_pipeline.corpora.ravdess_song import claims, parse, scan
from ser_pipeline.records import Reject, Utterance
from tests.corpora.test_ravdess import of_channel

PER_EMOTION = dict.fromkeys(("calm", "happiness", "sadness", "anger", "fear"), 184) | {"neutral": 92}
PER_SPEAKER = {f"ravdess-{actor:02d}": 44 for actor in range(1, 25) if actor != 18}


def official() -> Iterable[str]:
    """Yield every official path."""
    return of_channel("02", range(1, 7), [actor for actor in range(1, 25) if actor != 18])


def test_a_singer_is_the_speaker_of_the_same_number():
    path = PurePosixPath("Actor_24/03-02-02-02-02-01-24.wav")
    song, speech = parse(path), ravdess.parse(PurePosixPath("Actor_24/03-01-02-02-02-01-24.wav"))
    assert song == Utterance(
        corpus="ravdess-song",
        path=path,
        canonical="Actor_24/03-02-02-02-02-01-24",
        source_label="02",
        emotion="calm",
        speaker_id="ravdess-24",
        language="en-US",
        modality="song",
        intensity="high",
        gender="female",
        sentence_id="02",
        text="Dogs are sitting by the door",
        take="01",
    )
    assert isinstance(speech, Utterance)
    assert speech.speaker_id == song.speaker_id


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("03-01-05-01-02-01-01", "channel 01 is not song; ravdess reads it"),
        ("03-02-07-01-02-01-01", "emotion '07' does not exist; valid are 01, 02, 03, 04, 05, 06"),
        ("03-02-08-01-02-01-01", "emotion '08' does not exist"),
        ("03-02-05-01-02-01-18", "actor '18' does not exist; valid are 01"),
        ("01-02-05-01-02-01-01", "modality 01 is video"),
        ("03-02-01-02-02-01-01", "neutral (01) has no strong intensity (02)"),
    ],
)
def test_what_was_never_sung_is_a_reject(name, reason):
    row = parse(PurePosixPath(f"{name}.wav"))
    assert isinstance(row, Reject)
    assert row.corpus == "ravdess-song"
    assert row.reason.startswith(reason)


def test_song_alone_is_claimed():
    assert claims(PurePosixPath("RAVDESS/Actor_01/03-02-05-01-02-01-01.wav"))
    assert not claims(PurePosixPath("RAVDESS-Song/Actor_01/03-01-05-01-02-01-01.wav"))


def test_a_scan_reads_the_files_it_is_given(put):
    root = put("Actor_01/03-02-05-01-02-01-01.flac", "Actor_01/03-01-05-01-02-01-01.wav")
    song = PurePosixPath("Actor_01/03-02-05-01-02-01-01.flac")
    assert [row.emotion for row in scan(root, [song]) if isinstance(row, Utterance)] == ["anger"]
