from collections.abc import Iterable
from itertools import product
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora.cremad import parse, scan
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance
from tests.corpora.conftest import refusal

NEVER_RECORDED = {
    "1002_TIE_NEU_XX",
    "1076_ITS_NEU_XX",
    *(f"1008_WSI_{code}_XX" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")),
    *(f"1009_MTI_{code}_XX" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")),
    *(f"1019_ITH_{code}_XX" for code in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")),
}


def official() -> Iterable[str]:
    """Yield every official path."""
    sentences = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    for actor, sentence, emotion in product(range(1001, 1092), sentences, emotions):
        for level in ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",):
            clip = f"{actor}_{sentence}_{emotion}_{level}"
            if clip not in NEVER_RECORDED:
                yield f"AudioWAV/{clip}.wav"


ACTORS = '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","x","y"\n1002,21,"Female","x","y"\n'
VOTES_HEADING = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote","meanEmoResp"\n'
VOTES = (
    VOTES_HEADING
    + '"100004",2,0,0,6,2,0,"1001_IEO_HAP_HI",10,0.6,"H",57.6\n'
    + '"200004",0,0,0,9,1,0,"1001_IEO_HAP_HI",10,0.9,"H",70\n'
    + '"300004",0,0,0,10,0,0,"1001_IEO_HAP_HI",10,1,"H",80\n'
    + '"100005",0,0,0,0,1,3,"1076_MTI_SAD_XX",4,0.75,"S",20\n'
)
ACTORS_TABLE, VOTES_TABLE = "VideoDemographics.csv", "processedResults/tabulatedVotes.csv"
TABLES = {ACTORS_TABLE: ACTORS, VOTES_TABLE: VOTES}


def rows_and_remarks(root):
    records = list(scan(root))
    rows = [record for record in records if isinstance(record, Utterance)]
    return rows, [record for record in records if not isinstance(record, Utterance)]


def test_a_name_holds_actor_sentence_emotion_and_level():
    path = PurePosixPath("AudioWAV/1091_WSI_DIS_XX.wav")
    assert parse(path) == Utterance(
        corpus="cremad",
        path=path,
        canonical="AudioWAV/1091_WSI_DIS_XX",
        source_label="DIS",
        emotion="disgust",
        speaker_id="cremad-1091",
        language="en-US",
        sentence_id="WSI",
        text="We'll stop in a couple of minutes",
    )


@pytest.mark.parametrize(
    ("level", "intensity"), [("LO", "low"), ("MD", "normal"), ("HI", "high"), ("XX", "unspecified")]
)
def test_levels(level, intensity):
    row = parse(PurePosixPath(f"1001_IEO_ANG_{level}.wav"))
    assert isinstance(row, Utterance)
    assert row.intensity == intensity


def test_the_file_with_a_shortened_level_has_the_official_id():
    row = parse(PurePosixPath("AudioWAV/1040_ITH_SAD_X.wav"))
    assert isinstance(row, Utterance)
    assert (row.canonical, row.intensity) == ("AudioWAV/1040_ITH_SAD_XX", "unspecified")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("1092_IEO_ANG_HI", "actor '1092' does not exist; valid are 1001 to 1091"),
        ("1001_ABC_ANG_HI", "sentence 'ABC' does not exist; valid are DFA, IEO"),
        ("1001_IEO_SUR_HI", "emotion 'SUR' does not exist; valid are ANG, DIS"),
        ("1001_IEO_ANG_YY", "level 'YY' does not exist; valid are LO, MD, HI, XX"),
        ("1001_ieo_ang_hi", "name does not follow 'AudioWAV/1001_IEO_ANG_HI.wav'"),
    ],
)
def test_a_code_that_does_not_exist_is_a_reject(name, reason):
    assert refusal(parse(PurePosixPath(f"AudioWAV/{name}.wav"))).startswith(reason)


def test_voice_votes_and_actors_are_added_and_a_line_without_audio_is_counted(put):
    (row,), remarks = rows_and_remarks(put("AudioWAV/1001_IEO_HAP_HI.wav", **TABLES))
    assert (row.gender, row.age) == ("male", 51)
    assert row.votes == {"anger": 2, "happiness": 6, "neutral": 2}
    assert (row.agreement, row.rated_intensity) == (pytest.approx(0.6), pytest.approx(0.576))
    assert remarks == [MissingAudio("cremad", VOTES_TABLE, 1, ("1076_MTI_SAD_XX",))]


def test_the_shortened_name_finds_its_votes(put):
    votes = VOTES_HEADING + '"100006",0,0,0,0,1,3,"1040_ITH_SAD_XX",4,0.75,"S",20\n'
    (row,), remarks = rows_and_remarks(put("1040_ITH_SAD_X.wav", **(TABLES | {VOTES_TABLE: votes})))
    assert row.votes == {"neutral": 1, "sadness": 3}
    assert remarks == []


def test_a_copy_without_tables_still_gives_rows(put):
    (row,), remarks = rows_and_remarks(put("1001_IEO_HAP_HI.wav"))
    assert (row.gender, row.age, row.votes, row.agreement) == ("unknown", None, {}, None)
    assert [remark.table for remark in remarks if isinstance(remark, TableProblem)] == [
        VOTES_TABLE,
        ACTORS_TABLE,
    ]


def test_a_broken_table_costs_only_its_own_facts(put):
    tables = TABLES | {ACTORS_TABLE: b'"ActorID","Age","Sex"\n1001,51,"M\xe4le"\n'}
    (row,), remarks = rows_and_remarks(put("1001_IEO_HAP_HI.wav", **tables))
    assert row.votes["happiness"] == 6
    assert row.gender == "unknown"
    reason = "line 2 is not UTF-8 text; the rows lack its information"
    assert remarks[-1] == TableProblem("cremad", ACTORS_TABLE, reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('"100009",0,0,0,0,0,0,"1001_TIE_NEU_XX",0,0,"N",50', "'1001_TIE_NEU_XX' has no votes"),
        (
            '"100009",-1,0,0,0,5,0,"1001_TIE_NEU_XX",0,0,"N",50',
            "'1001_TIE_NEU_XX' has no votes or a negative",
        ),
        ('"100009",x,0,0,0,0,0,"1001_TIE_NEU_XX",0,0,"N",50', "'x' is not a number"),
        ('"100009",0,0,0,0,5,0,"1001_TIE_NEU_XX",5,1,"N",500', "500 is not between 0 and 100"),
    ],
)
def test_a_bad_line_of_votes_is_left_out_and_reported(put, line, reason):
    votes = VOTES_HEADING + line + "\n"
    (row,), remarks = rows_and_remarks(put("1001_TIE_NEU_XX.wav", **(TABLES | {VOTES_TABLE: votes})))
    assert row.votes == {}
    assert isinstance(remarks[0], TableProblem)
    assert remarks[0].reason.startswith(f"line 2: {reason}")


def test_mp3_copies_are_rejects_beside_the_originals_and_rows_without_them(put):
    root = put("AudioMP3/1001_IEO_HAP_HI.mp3", "AudioMP3/1002_IEO_HAP_HI.mp3", "AudioWAV/1001_IEO_HAP_HI.wav")
    copy, alone, original = list(scan(root))[:3]
    assert isinstance(copy, Reject)
    assert copy.reason == "lossy copy of a recording that is also here"
    assert isinstance(alone, Utterance)
    assert alone.canonical == "AudioWAV/1002_IEO_HAP_HI"
    assert isinstance(original, Utterance)
