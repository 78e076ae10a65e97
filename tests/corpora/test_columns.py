"""Columns of tables that list recordings: answers of listeners, names of speakers, and what is not read."""

import pytest

from ser_pipeline.corpora.columns import raters_among, spellings_of
from ser_pipeline.corpora.values import votes_of
from ser_pipeline.records import Reject, TableProblem, Utterance
from tests.corpora.conftest import rows_of


def test_the_answers_of_several_listeners_are_votes_and_mean_ratings(home):
    lines = [
        "rec/anna/a1.wav,ann,sad,7,1", "rec/anna/a1.wav,bob,fear,7,4", "rec/anna/a1.wav,cid,fear,7,x",
        "rec/anna/a2.wav,ann,sad,7,2", "rec/anna/a2.wav,bob,joy,7,5",
        "rec/ben/b1.wav,ann,fear,8,3", "rec/ben/b1.wav,bob,odd,8,", "rec/ben/b1.wav,cid,,8,",
        "rec/ben/b2.wav,ann,joy,8,5",
    ]  # fmt: skip
    found = rows_of(home, "path,annotator,emotion,speaker,valence\n" + "\n".join(lines))
    rows = {row.path.stem: row for row in found if isinstance(row, Utterance)}
    assert (rows["a1"].emotion, rows["a1"].votes) == ("fear", {"sadness": 1, "fear": 2})
    assert rows["a1"].agreement == pytest.approx(2 / 3)
    assert rows["a1"].valence == pytest.approx(-0.25)  # the mean of 1 and 4 on a scale from 1 to 5
    assert (rows["b2"].emotion, rows["b2"].votes, rows["b2"].agreement) == ("happiness", {}, None)
    assert not any(isinstance(row, Reject) for row in found)
    assert (rows["a2"].emotion, rows["a2"].votes) == ("other", {"sadness": 1, "happiness": 1})  # a tie
    assert (rows["b1"].emotion, rows["b1"].valence) == ("other", 0)
    (remark,) = [row.reason for row in found if isinstance(row, TableProblem) and "emotions:" in row.reason]
    assert remark.startswith("labels that are not emotions: 'odd' (1); they count as votes for 'other', ")


@pytest.mark.parametrize("heading", ["ann1,ann2,ann3", "emotion_A,emotion_B,emotion_C"])
def test_columns_of_one_listener_each_are_votes(home, heading):
    lines = [
        "rec/anna/a1.wav,sad,joy,joy", "rec/anna/a2.wav,sad,,fear",
        "rec/ben/b1.wav,joy,shame,shame", "rec/ben/b2.wav,sad,sad,joy",
    ]  # fmt: skip
    one, two, three, four, said, others = rows_of(home, "\n".join([f"path,{heading}", *lines]))
    assert (one.emotion, one.votes, three.emotion) == ("happiness", {"sadness": 1, "happiness": 2}, "other")
    assert (two.reason, four.emotion) == ("no label: its votes are a tie", "sadness")
    assert said.reason.endswith("are read as the votes of one listener each; the emotion is what most chose")
    assert others.reason.startswith("labels that are read as 'other', which no task uses: 'shame' (2); a")
    lines = [f"{line},{label}" for line, label in zip(lines, ("sad", "sad", "joy", "joy"), strict=True)]
    one, two, *_, said, others = rows_of(home, "\n".join([f"path,{heading},label", *lines]))
    assert (one.emotion, one.votes, two.emotion) == ("sadness", {"sadness": 1, "happiness": 2}, "sadness")
    assert said.reason.endswith("; the emotion is column 'label'")


@pytest.mark.parametrize(("more", "told"), [("", True), (",rater", False), (",start", False)])
def test_lines_that_name_a_recording_again_may_be_answers_of_listeners(home, more, told):
    lines = [
        f"rec/anna/a1.wav,{label}{f',{number}' if more else ''}"
        for number, label in enumerate(("sad", "joy"))
    ]
    found = rows_of(home, "\n".join([f"path,label{more}", *lines]))
    said = [row.reason for row in found if isinstance(row, TableProblem)]
    assert (
        any(each.startswith("several lines name the same recording; if they are answers") for each in said)
        == told
    )


def test_an_answer_that_is_missing_is_no_vote(home):
    text = "path,emotion_A,emotion_B,emotion_C\nrec/anna/a1.wav,sad,None,sad\nrec/ben/b1.wav,joy,fear,NA\n"
    one, two, *_, said = rows_of(home, text)
    assert (one.votes, two.reason) == ({"sadness": 2}, "no label: its votes are a tie")
    assert said.reason == "labels that stand for a missing one: 'None' (1), 'NA' (1); no votes"
    text = "path,rater,label\nrec/anna/a1.wav,ann,sad\nrec/anna/a1.wav,bob,None\nrec/anna/a1.wav,cid,NA\n"
    assert rows_of(home, text)[0].votes == {"sadness": 1}


def test_columns_of_how_many_chose_an_emotion_are_votes(home):
    text = "path,Anger,joy,other\nrec/anna/a1.wav,1,,2\nrec/anna/a2.wav,0,3,1\nrec/ben/b1.wav,1,1,0\n"
    one, two, three, said = rows_of(home, text)
    assert (one.emotion, one.votes, two.emotion) == ("other", {"anger": 1, "other": 2}, "happiness")
    assert three.reason == "no label: its votes are a tie"
    assert said.reason.startswith(
        "columns 'Anger', 'joy', 'other' are read as how many listeners chose each;"
    )
    one, *_ = rows_of(home, text.replace("other", "other,label").replace(",2\n", ",2,joy\n"))
    assert (one.emotion, one.votes) == ("happiness", {})


@pytest.mark.parametrize(
    ("labels", "raters"),
    [
        (["Pred_1", "Pred_2", "Pred_3"], ()),
        (["model_a", "model_b", "model_c"], ()),
        (["b1", "b2", "b3", "a1", "a2", "a3", "a4"], ("a1", "a2", "a3", "a4")),
        (["b1", "b2", "b3", "b4", "c1", "c2", "c3"], ("b1", "b2", "b3", "b4")),
        (["emotion", "mood", "feeling"], ()),
        (["annotator_jo", "annotator_al", "annotator_ed"], ("annotator_jo", "annotator_al", "annotator_ed")),
    ],
)
def test_columns_that_are_listeners(labels, raters):
    assert raters_among(labels) == raters


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("channel", "01", True),
        ("Channel", "AB", True),
        ("channel", "00", False),
        ("channel", "xy", False),
        ("channels", "12", False),
    ],
)
def test_a_column_of_channels_is_named_because_all_are_mixed(home, name, values, said):
    lines = "".join(f"rec/ben/b1.wav,sad,{at},{at + 1},{value}\n" for at, value in enumerate(values))
    *_, problem = rows_of(home, f"path,emotion,start,end,{name}\n{lines}")
    reason = getattr(problem, "reason", "")
    assert reason.startswith(f"column {name!r} is not read: all channels are mixed; split them first") == said


def test_spellings_of_one_speaker_are_one(home):
    names = ("Jose\u0301", "José", "b  b", "b b")
    paths = ("anna/a1", "anna/a2", "ben/b1", "ben/b2")
    lines = [f"rec/{path}.wav,sad,{name}" for path, name in zip(paths, names, strict=True)]
    found = rows_of(home, "\n".join(["path,emotion,speaker", *lines]))
    assert len({row.speaker_id for row in found if isinstance(row, Utterance)}) == 2
    assert found[-1].reason.endswith("'b  b' and 'b b' are taken for one person each")


@pytest.mark.parametrize(
    ("one", "two", "people", "said"),
    [
        ("01", "1.0", 1, ["speakers '01' and '1.0' are taken for one person"]),
        ("x", "x ", 1, []),
        ("Ann", "ann", 2, ["speakers 'Ann' and 'ann' differ only in case; they are taken for 2 people"]),
        ("Unknown", "unknown", 1, []),
    ],
)
def test_names_that_are_alike(home, one, two, people, said):
    text = f"path,emotion,speaker\nrec/anna/a1.wav,sad,{one}\nrec/ben/b1.wav,joy,{two}\n"
    first, second, *_ = found = rows_of(home, text)
    assert len({first.speaker_id, second.speaker_id}) == people
    assert [each.reason for each in found if "speakers" in getattr(each, "reason", "")] == said


def test_those_whom_nobody_knows_keep_numbers_numbers():
    assert spellings_of({"1": 2, "01": 1, "?": 5, "": 3}) == {"01": "1"}


def test_languages_that_nobody_knows_are_unknown_and_counted(home):
    text = (
        "path,emotion,language\nrec/anna/a1.wav,sad,Englisch\nrec/anna/a2.wav,sad,Klingon\n"
        "rec/ben/b1.wav,joy,n/a\nrec/ben/b2.wav,joy,en_GB\n"
    )
    *rows, said = rows_of(home, text)
    assert [row.language for row in rows] == ["en", "und", "und", "en-GB"]
    assert said.reason.startswith("unknown languages: 'Klingon' (1); they count as unknown (und)")


@pytest.mark.parametrize("heading", ["valence_mean", "Valence (1-5)", "avgPleasantness", "val score"])
def test_ratings_are_known_by_usual_headings(home, heading):
    row, other, said = rows_of(home, f"path,{heading},n\nrec/anna/a1.wav,5,3\nrec/ben/b1.wav,1,3\n")
    assert (row.valence, other.valence, row.emotion) == (1, -1, "other")
    as_what = "" if "alence" in heading else " (valence)"
    assert said.reason == f"column {heading!r}{as_what} is read as ratings from 1 to 5"


def test_single_letters_are_ratings_only_together(home):
    row, *_ = rows_of(home, "path,emotion,V,A,D\nrec/anna/a1.wav,sad,1,0.5,0\n")
    assert (row.valence, row.arousal, row.dominance) == (1, 0, -1)
    (row,) = rows_of(home, "path,emotion,V,x,D\nrec/anna/a1.wav,sad,1,2,3\n")
    assert (row.valence, row.dominance) == (None, None)


def test_columns_that_may_be_ratings_are_named_and_not_read(home):
    text = "path,emotion,valence_r1,valence_r2,arousal_bin,dominance_std\nrec/anna/a1.wav,sad,3,2,1,0.5\n"
    row, *said = rows_of(home, text)
    assert (row.valence, row.arousal, row.dominance) == (None, None, None)
    assert [each.reason for each in said] == [
        "columns 'valence_r1', 'valence_r2' may be ratings of valence, and none is read; rename the right "
        "one to 'valence'",
        "column 'arousal_bin' may be ratings of arousal, and none is read; rename it to 'arousal'",
    ]
    _, *said = rows_of(home, "path,emotion,valence,valence_mean\nrec/anna/a1.wav,sad,3,2\n")
    assert said[0].reason == (
        "column 'valence' is read as valence; column 'valence_mean' disagrees in 1 of 1 line"
    )


@pytest.mark.parametrize(
    ("words", "genders", "said"),
    [
        ("HM", ["male", "female"], []),
        ("FH", ["female", "male"], []),
        (["Nan", "nu"], ["male", "female"], []),
        (["nan", "m"], ["unknown", "male"], []),
        (
            "MV",
            ["unknown", "unknown"],
            ["genders that are not known: 'M' (1), 'V' (1); they count as unknown"],
        ),
    ],
)
def test_what_some_letters_mean_depends_on_the_others(home, words, genders, said):
    text = "path,emotion,sexo\nrec/anna/a1.wav,sad,{}\nrec/ben/b1.wav,joy,{}\n".format(*words)
    one, two, *remarks = rows_of(home, text)
    assert [one.gender, two.gender] == genders
    assert [remark.reason.partition(", valid")[0] for remark in remarks] == said


def test_a_column_about_the_speaker_is_named_where_nobody_is(home):
    row, remark = rows_of(home, "path,emotion,speaker_role,age\nrec/anna/a1.wav,sad,agent,7\n")
    assert row.speaker_id == "mine-unknown"
    assert remark.reason == (
        "no column is read as who speaks; call one 'speaker' if it says so (found speaker_role)"
    )
    assert len(rows_of(home, "path,emotion,speaker_role,spk\nrec/anna/a1.wav,sad,agent,7\n")) == 1


@pytest.mark.parametrize("count", ["x", "inf", "nan"])
def test_votes_that_are_no_number_are_named(count):
    with pytest.raises(ValueError, match=f"'{count}' is not a (whole )?number"):
        votes_of({"anger": count})


@pytest.mark.parametrize("share", ["0.7", "1,9"])
def test_shares_are_no_votes(share):
    with pytest.raises(ValueError, match="is not a whole number of votes; give counts, not shares"):
        votes_of({"anger": share, "fear": "1"})


def test_votes_that_the_manifest_cannot_hold_are_named():
    with pytest.raises(ValueError, match="more than 32767 votes for one emotion"):
        votes_of({"anger": ["30000", "3000"]})
