from collections.abc import Iterable
from itertools import product
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora import described
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance

scan = described()["nemo"].scan

SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")
EMOTIONS = ("anger", "fear", "happiness", "neutral", "sadness", "surprised")
LACKS = {
    "EB0_surprised": "40",
    "SM0_fear": "18",
    "SM0_happiness": "31",
    "TP0_surprised": "75",
    "WR0_neutral": "11",
    "MP0_sadness": "3 4 13 17 18 21 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 44 47 54 55 58 59 "
    "61 65 67 73 74 76 80 81 82 85 90",
}
HAS = {
    "MK0_surprised": "",
    "MP0_anger": "2 4 5 6 8 9 10 14 17 18 24 27 32 36 40 41 42 44 46 54 55 56 65 68 69 70 71 73 85",
    "MP0_fear": "1 2 3 4 5 8 12 14 21 23 28 30 33 35 41 47 61",
    "MP0_happiness": "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 37 40 47 52 55 58 61 67 77",
    "MP0_surprised": "8 12 14 16 17 18 21 23 24 25 27 28 29 30 32 33 34 35 37 39 40 41 44 48 52 53 54 64 66 "
    "67 68 69 70 72 73 74 80 84 85 87 90",
}
PER_SPEAKER = {
    "nemo-IC0": 540, "nemo-KD0": 540, "nemo-KS0": 540, "nemo-EB0": 539, "nemo-TP0": 539, "nemo-WR0": 539,
    "nemo-SM0": 538, "nemo-MK0": 450, "nemo-MP0": 256,
}  # fmt: skip


def official() -> Iterable[str]:
    """Yield every official path."""
    for speaker, emotion in product(SPEAKERS, EMOTIONS):
        key = f"{speaker}_{emotion}"
        lacks = LACKS.get(key, "").split()
        for number in HAS[key].split() if key in HAS else map(str, range(1, 91)):
            if number not in lacks:
                yield f"samples/{key}_{number}.wav"


HEADING = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
LINE = "WR0_surprised_64.wav\tsurprised\tUcho wykrywa dźwięki.\tucho wykrywa dźwięki\t        WR0\tmale\t23\n"


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
        ("\tsurprised", "\tanger", "data.tsv says emotion 'anger', the name says 'surprised'; one is wrong"),
        (" WR0", " EB0", "data.tsv says speaker 'EB0', the name says 'WR0'; one is wrong"),
    ],
)
def test_a_name_and_a_line_that_disagree_are_a_reject(put, old, new, reason):
    (row,) = scan(put("samples/WR0_surprised_64.wav", **{"data.tsv": HEADING + LINE.replace(old, new)}))
    assert row == Reject("nemo", PurePosixPath("samples/WR0_surprised_64.wav"), reason)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            LINE + LINE,
            "lacks column file_id, emotion, speaker_id, gender, age, raw_text (found WR0_surprised_64.wav",
        ),
        (HEADING.encode() + b"\xff\n", "line 2 is not UTF-8 text; the rows lack its information"),
        (HEADING + LINE.replace("23", "old"), "line 2: age 'old' is not a whole number from 1 to 120"),
        (
            HEADING + LINE.replace("\tmale", "\tx"),
            "line 2: gender 'x' does not exist; valid are female, male, unknown; that value is left out",
        ),
    ],
)
def test_a_broken_table_is_reported_and_rows_still_come(put, table, reason):
    row, problem = scan(put("samples/WR0_surprised_64.wav", **{"data.tsv": table}))
    assert isinstance(row, Utterance)
    assert isinstance(problem, TableProblem)
    assert problem.reason.startswith(reason)
