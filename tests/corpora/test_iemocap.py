from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora.iemocap import claims, parse, read_labels, scan
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance
from tests.corpora.conftest import refusal

WAV = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01"
LABELS_FILE = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
WORDS_FILE = "Session1/dialog/transcriptions/Ses01F_impro01.txt"
LABELS = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 4.0000, 5.0000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral; Frustration;\t()
C-E4:\tSadness;\t(mixed; emotions)
C-F1:\tAnger;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M000\txxx\t[2.5000, 2.5000, 2.5000]
C-E2:\tAnger;\t()

[12.0 - 13.0]\tSes01F_impro01_M001\toth\t[3.0000, 3.0000, 3.0000]
C-E1:\tOther;\t(bored)
C-E2:\tNeutral state;\t()
"""
WORDS = """Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
M: (laughs)
Ses01F_impro01_M001 [012.0000-013.0000]: Do you have your forms?
"""
TABLES = {LABELS_FILE: LABELS, WORDS_FILE: WORDS}


def rows_and_others(root):
    records = list(scan(root))
    rows = {record.path.stem: record for record in records if isinstance(record, Utterance)}
    return rows, [record for record in records if not isinstance(record, Utterance)]


def test_a_name_holds_session_dialogue_and_who_speaks():
    path = PurePosixPath(f"{WAV}_M012.wav")
    assert parse(path) == Utterance(
        corpus="iemocap",
        path=path,
        canonical=f"{WAV}_M012",
        source_label="",
        emotion="other",
        speaker_id="iemocap-Ses01M",
        language="en-US",
        style="elicited",
        session_id="Ses01",
        gender="male",
    )


@pytest.mark.parametrize(
    ("turn", "speaker", "style"),
    [
        ("Ses02M_script01_1_F003", "iemocap-Ses02F", "acted"),
        ("Ses05M_script01_1b_M003", "iemocap-Ses05M", "acted"),
        ("Ses03F_impro08b_FXX0", "iemocap-Ses03F", "elicited"),
    ],
)
def test_the_turn_says_who_speaks_and_the_dialogue_how(turn, speaker, style):
    row = parse(PurePosixPath(f"{turn}.wav"))
    assert isinstance(row, Utterance)
    assert (row.speaker_id, row.style) == (speaker, style)
    dialogue = turn.rsplit("_", 1)[0]
    assert row.canonical == f"Session{turn[4]}/sentences/wav/{dialogue}/{turn}"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Session1/dialog/wav/Ses01F_impro01.wav", "a whole dialogue; its turns lie in 'sentences/wav'"),
        ("Session2/sentences/wav/Ses01F_impro01_F000.wav", "folder says 'session 2', name says '1'"),
        (
            "Ses01F_impro02/Ses01F_impro01_F000.wav",
            "folder says 'Ses01F_impro02', name says 'Ses01F_impro01'",
        ),
        ("Ses06F_impro01_F000.wav", "name does not follow 'Session1/sentences/wav/"),
        ("Ses01F_impro01_X000.wav", "name does not follow"),
    ],
)
def test_what_is_no_turn_is_a_reject(path, reason):
    assert refusal(parse(PurePosixPath(path))).startswith(reason)


def test_whole_dialogues_are_claimed_too():
    assert claims(PurePosixPath("Session1/dialog/wav/Ses01F_script02_2.wav"))
    assert not claims(PurePosixPath("Session1/dialog/wav/Ses01F.wav"))


def test_labels_dimensions_votes_and_words_are_added(put):
    rows, others = rows_and_others(put(f"{WAV}_F000.wav", f"{WAV}_M000.wav", f"{WAV}_M001.wav", **TABLES))
    row = rows["Ses01F_impro01_F000"]
    assert (row.emotion, row.source_label, row.text) == ("neutral", "neu", "Excuse me.")
    assert (row.valence, row.arousal, row.dominance) == (-0.25, 0.5, 1.0)
    assert row.votes == {"neutral": 2, "frustration": 1, "sadness": 1}  # not the actress's own anger
    assert row.agreement == pytest.approx(2 / 3)
    other = rows["Ses01F_impro01_M001"]
    assert (other.emotion, other.emotion_id, other.votes) == ("other", -1, {"other": 1, "neutral": 1})
    assert other.text == "Do you have your forms?"
    divided = rows["Ses01F_impro01_M000"]
    assert (divided.emotion, divided.source_label, divided.valence) == ("other", "xxx", -0.25)
    assert others == []


def test_a_turn_without_label_is_a_reject_and_a_label_without_turn_is_counted(put):
    rows, others = rows_and_others(put(f"{WAV}_F009.wav", **TABLES))
    assert rows == {}
    assert others == [
        Reject("iemocap", PurePosixPath(f"{WAV}_F009.wav"), "no label in 'dialog/EmoEvaluation'"),
        MissingAudio(
            "iemocap",
            "dialog/EmoEvaluation",
            3,
            ("Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01F_impro01_M001"),
        ),
    ]


def test_a_label_that_does_not_exist_is_a_reject(put):
    tables = TABLES | {LABELS_FILE: LABELS.replace("\tneu\t", "\tjoy\t")}
    _, others = rows_and_others(put(f"{WAV}_F000.wav", **tables))
    assert isinstance(others[0], Reject)
    assert others[0].reason.startswith("label 'joy' does not exist; valid are ang, hap")


def test_without_tables_every_turn_is_a_reject_and_both_tables_are_named(put):
    _, (reject, *problems) = rows_and_others(put(f"{WAV}_F000.wav"))
    assert isinstance(reject, Reject)
    assert problems == [
        TableProblem("iemocap", "dialog/EmoEvaluation", "not found; a turn without a label is a reject"),
        TableProblem("iemocap", "dialog/transcriptions", "not found; the turns lack their words"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            LABELS.replace("[2.5000, 4.0000", "[2.5000 4.0000"),
            f"{LABELS_FILE}: no label line: '[6.2901 - 8.2357]",
        ),
        (b"\x81", f"{LABELS_FILE} line 1 is not UTF-8 or cp1252 text; a turn without a label is a reject"),
    ],
)
def test_a_broken_label_file_is_named(put, content, reason):
    table = read_labels(put(**{LABELS_FILE: content}))
    assert "Ses01F_impro01_F000" not in table.rows
    assert table.problem is not None
    assert table.problem.startswith(reason)


def test_several_broken_files_are_one_remark(put):
    second = LABELS_FILE.replace("impro01.txt", "impro02.txt")
    table = read_labels(put(**{LABELS_FILE: b"\x81", second: b"\x81"}))
    assert table.problem is not None
    assert "and 1 more" in table.problem


def test_marks_beyond_the_scale_are_held_to_it(put):
    table = read_labels(put(**{LABELS_FILE: LABELS.replace("[2.5000, 4.0000", "[5.5000, 0.5000")}))
    facts = table.facts("Ses01F_impro01_F000")
    assert (facts["valence"], facts["arousal"]) == (1.0, -1.0)


def test_a_turn_that_nobody_rated_has_no_votes(put):
    table = read_labels(
        put(**{LABELS_FILE: "[1.0 - 2.0]\tSes01F_impro01_F000\tneu\t[2.5000, 4.0000, 5.0000]\r\n"})
    )
    assert "votes" not in table.facts("Ses01F_impro01_F000")


def test_side_files_of_macos_and_single_raters_files_are_not_read(put):
    single = LABELS_FILE.replace("Ses01F_impro01.txt", "Categorical/Ses01F_impro01_e2_cat.txt")
    table = read_labels(
        put(**{LABELS_FILE.replace("Ses01F", "._Ses01F"): b"\x81", single: b"\x81", LABELS_FILE: LABELS})
    )
    assert table.problem is None
    assert len(table.rows) == 3
