from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora.nemo import parse, scan
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance
from tests.corpora.conftest import refusal

HEADING = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
LINE = "WR0_surprised_64.wav\tsurprised\tUcho wykrywa dźwięki.\tucho wykrywa dźwięki\t        WR0\tmale\t23\n"


def test_a_name_holds_speaker_emotion_and_sentence():
    path = PurePosixPath("samples/WR0_surprised_64.wav")
    assert parse(path) == Utterance(
        corpus="nemo",
        path=path,
        canonical="samples/WR0_surprised_64",
        source_label="surprised",
        emotion="surprise",
        speaker_id="nemo-WR0",
        language="pl",
        gender="male",
        age=23,
        sentence_id="64",
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("XX0_anger_1", "speaker 'XX0' does not exist; valid are EB0, IC0"),
        ("WR0_joy_1", "emotion 'joy' does not exist; valid are anger, fear"),
        ("WR0_anger_91", "sentence '91' does not exist; valid are 1 to 90"),
        ("WR0_anger_01", "name does not follow 'samples/WR0_surprised_64.wav'"),
    ],
)
def test_a_code_that_does_not_exist_is_a_reject(name, reason):
    assert refusal(parse(PurePosixPath(f"samples/{name}.wav"))).startswith(reason)


def test_the_table_adds_the_text_and_its_blanks_are_read_over(put):
    (row,) = scan(put("samples/WR0_surprised_64.flac", **{"data.tsv": HEADING + LINE}))
    assert isinstance(row, Utterance)
    assert (row.text, row.speaker_id, row.gender, row.age) == (
        "Ucho wykrywa dźwięki.",
        "nemo-WR0",
        "male",
        23,
    )


def test_a_recording_without_a_line_is_a_row_and_a_line_without_a_recording_is_counted(put):
    row, missing = scan(put("samples/WR0_anger_1.wav", **{"data.tsv": HEADING + LINE}))
    assert isinstance(row, Utterance)
    assert (row.text, row.age) == (None, 23)
    assert missing == MissingAudio("nemo", "data.tsv", 1, ("WR0_surprised_64",))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\tsurprised", "\tanger", "data.tsv says emotion 'anger', the name says 'surprised'"),
        (" WR0", " EB0", "data.tsv says speaker 'nemo-EB0', the name says 'nemo-WR0'"),
    ],
)
def test_a_name_and_a_line_that_disagree_are_a_reject(put, old, new, reason):
    (row,) = scan(put("samples/WR0_surprised_64.wav", **{"data.tsv": HEADING + LINE.replace(old, new)}))
    assert row == Reject("nemo", PurePosixPath("samples/WR0_surprised_64.wav"), reason)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            LINE,
            "lacks column file_id, emotion, raw_text, speaker_id, gender, age (found WR0_surprised_64.wav",
        ),
        (HEADING.encode() + b"\xff\n", "line 2 is not UTF-8 text; the rows come without what it says"),
        (HEADING + LINE.replace("23", "old"), "line 2: age 'old' is no whole number from 1 to 120"),
        (
            HEADING + LINE.replace("\tmale", "\tx"),
            "line 2: 'x' is neither female nor male; that line is left out",
        ),
    ],
)
def test_a_broken_table_is_reported_and_rows_still_come(put, table, reason):
    row, problem = scan(put("samples/WR0_surprised_64.wav", **{"data.tsv": table}))
    assert isinstance(row, Utterance)
    assert isinstance(problem, TableProblem)
    assert problem.reason.startswith(reason)
