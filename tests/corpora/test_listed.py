"""Recordings of one's own that a table lists."""

import json
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.corpora.listed import listed_corpora
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import MissingAudio, Reject, TableProblem, Utterance
from tests.corpora.conftest import rows_of, scanned


def test_two_columns_are_enough(home):
    one, two = rows_of(home, "path,emotion\nrec/anna/a1.wav,angry\nrec/ben/b1.wav,Trauer\n")
    assert (one.utterance_id, one.emotion, one.source_label) == ("mine/rec/anna/a1", "anger", "angry")
    assert (two.path, two.emotion) == (PurePosixPath("rec/ben/b1.wav"), "sadness")
    assert {one.speaker_id, two.speaker_id} == {"mine-unknown"}
    assert (one.gender, one.age, one.language, one.segment) == ("unknown", None, "und", None)


def test_every_column_that_is_known_is_read(home):
    (row,) = rows_of(
        home,
        "file;label;Speaker ID;Sex;age;lang;from;to;split;fold;transcript;Valence;session\n"
        "rec/anna/a1.wav;wut;7;Frau;31;German;1,5;2,75;dev;3;Hallo; 4;S1\n",
    )[:1]
    assert isinstance(row, Utterance)
    assert (row.speaker_id, row.gender, row.age, row.language) == ("mine-7", "female", 31, "de")
    assert (row.start_s, row.end_s, row.part, row.fold) == (1.5, 2.75, "validation", 3)
    assert (row.text, row.valence, row.session_id) == ("Hallo", 0.5, "S1")
    assert row.utterance_id == "mine/rec/anna/a1#1.500-2.750"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252"])
def test_separators_line_ends_and_encodings(home, separator, end, encoding):
    lines = [
        ["path", "emotion", "speaker"],
        ["rec/anna/a1.wav", "sad", "Jörg"],
        ["rec/ben/b1.wav", "joy", "x"],
    ]
    text = end.join(separator.join(line) for line in lines) + end
    one, two = rows_of(home, text, encoding=encoding)
    assert (one.speaker_id, one.emotion, two.emotion) == ("mine-Jörg", "sadness", "happiness")


def test_other_forms_of_tables(home):
    lines = [
        {"path": "rec/anna/a1.wav", "emotion": "sad"},
        {"path": "rec/ben/b1.wav", "emotion": "joy", "age": 20},
    ]
    (home / "l.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (home / "l.tsv").write_text("path\temotion\tage\nrec/anna/a1.wav\tsad\t\nrec/ben/b1.wav\tjoy\t20\n")
    pq.write_table(pa.Table.from_pylist(lines[::-1]), home / "l.parquet")
    for suffix in ("jsonl", "tsv", "parquet"):
        one, two = scanned(home / f"l.{suffix}")
        assert (one.emotion, one.age, two.emotion, two.age) == ("sadness", None, "happiness", 20)


def test_lines_that_repeat_another(home):
    found = rows_of(
        home,
        "path,emotion,start,end\nrec/anna/a1.wav,sad,0,1\nrec/anna/a1.wav,sad,0,1\n"
        "rec/anna/a1.wav,joy,1,2\nrec/anna/a1.wav,sad,1,2\n,sad,,\n",
    )
    reasons = [row.reason for row in found if isinstance(row, Reject)]
    assert reasons == [
        "duplicate line: 3 of 'mine.csv' names it again, after 2",
        "duplicate line: 5 of 'mine.csv' names it again, after 4, which labels it 'joy' and not 'sad'",
    ]
    assert [type(row) for row in found].count(Utterance) == 2
    assert MissingAudio("mine", "mine.csv", 1, ("",)) in found


@pytest.mark.parametrize("none", ["", "NaT"])
def test_a_line_about_all_of_a_recording_comes_before_those_about_its_segments(home, none):
    text = f"path,emotion,start_ms,end_ms\nrec/anna/a1.wav,joy,100,600\nrec/anna/a1.wav,sad,{none},{none}\n"
    text += "rec/anna/a1.wav,joy,,\n"
    whole, part, again = rows_of(home, text)
    assert (whole.emotion, whole.segment) == ("sadness", None)
    assert (part.emotion, part.start_s, part.end_s) == ("happiness", 0.1, 0.6)
    assert again.reason.startswith("duplicate line: 4 of 'mine.csv' names it again, after 3")


def test_labels_that_are_no_emotion_are_counted(home):
    text = "path,emotion\nrec/anna/a1.wav,sad\nrec/anna/a2.wav,strong\nrec/ben/b1.wav,7\nrec/ben/b2.wav,7\n"
    found = rows_of(home, text)
    assert [row.reason for row in found if isinstance(row, Reject)] == [
        "label 'strong' says how strong an emotion is, not which",
        "label '7' is not a known emotion",
        "label '7' is not a known emotion",
    ]
    (problem,) = (row for row in found if isinstance(row, TableProblem))
    assert problem.reason.startswith(
        "labels that are not emotions: '7' (2), 'strong' (1); recordings that have"
    )


def test_labels_that_are_missing_and_those_read_as_other_are_counted(home):
    text = (
        "path,emotion\nrec/anna/a1.wav,sad\nrec/anna/a2.wav,None\nrec/ben/b1.wav,NA\nrec/ben/b2.wav,anxiety\n"
    )
    _, none, missing, other, first, second = rows_of(home, text)
    assert none.reason == "no label: 'None' stands where one is missing"
    assert missing.reason == "no label: 'NA' stands where one is missing"
    assert other.emotion == "other"
    assert first.reason.startswith("labels that stand for a missing one: 'None' (1), 'NA' (1); recordings ")
    assert second.reason.startswith("labels that are read as 'other', which no task uses: 'anxiety' (1); a ")
    assert len(rows_of(home, "path,emotion\nrec/anna/a1.wav,sad\nrec/anna/a2.wav,Other\n")) == 2


def test_optional_columns_that_cannot_be_read_are_left_out_and_named(home):
    text = "path,emotion,age,arousal,sex,level\nrec/anna/a1.wav,sad,young,high,robot,3\n"
    row, *problems = rows_of(home, text)
    assert (row.age, row.arousal, row.gender, row.intensity) == (None, None, "unknown", "unspecified")
    assert [problem.reason.split(":")[0] for problem in problems] == [
        "column 'age' is left out",
        "column 'arousal' is left out",
        "column 'level' is left out",
        "column 'sex' is left out",
    ]


@pytest.mark.parametrize(
    ("ratings", "read", "scale"),
    [
        (("1", "5"), (-1.0, 1.0), "1 to 5"),
        (("1", "9"), (-1.0, 1.0), "1 to 9"),
        (("-0.5", "1"), (-0.5, 1.0), "-1 to 1"),
        (("0", "50"), (-1.0, 0.0), "0 to 100"),
    ],
)
def test_the_scale_of_ratings_is_found_and_said(home, ratings, read, scale):
    text = "path,emotion,valence\nrec/anna/a1.wav,sad,{}\nrec/ben/b1.wav,sad,{}\n".format(*ratings)
    one, two, problem = rows_of(home, text)
    assert (one.valence, two.valence) == read
    assert problem.reason == f"column 'valence' is read as ratings from {scale}"


@pytest.mark.parametrize(
    ("start", "end", "bounds"),
    [
        ("1.5", "2", (1.5, 2.0)),
        ('"1,5"', "2", (1.5, 2.0)),
        ("0:01.5", "1:00:02", (1.5, 3602.0)),
        ("0 days 00:00:01.500000", "NaT", (1.5, None)),
        ("", "2", (None, 2.0)),
        ("", "", (None, None)),
    ],
)
def test_times_of_every_form(home, start, end, bounds):
    (row,) = rows_of(home, f"path,emotion,start,end\nrec/anna/a1.wav,sad,{start},{end}\n")
    assert (row.start_s, row.end_s) == bounds


@pytest.mark.parametrize(
    ("columns", "cells", "bounds"),
    [
        ("start,duration", "1.5,2", (1.5, 3.5)),
        ("audio_offset,offset,duration", "9,1.5,2", (1.5, 3.5)),
        ("onset,offset", "1.5,3.5", (1.5, 3.5)),
        ("start_ms,end_ms", "1500,3500", (1.5, 3.5)),
        ("startMs,duration_ms", "1500,2000", (1.5, 3.5)),
        ("start,end,duration", "1.5,3.5,9", (1.5, 3.5)),
        ("start,end,duration", "1.5,,2", (1.5, 3.5)),
        ("start,finish", "1.5,3.5", (1.5, 3.5)),
        ("start_time,stop_time", "1.5,3.5", (1.5, 3.5)),
        ("onset,offset_s", "1.5,3.5", (1.5, 3.5)),
        ("from,until", "1.5,3.5", (1.5, 3.5)),
        ("t_start,End Time (seconds)", "1.5,3.5", (1.5, 3.5)),
        ("begin_time_ms,end_time_ms", "1500,3500", (1.5, 3.5)),
        ("START_MS,END_MS", "1500,3500", (1.5, 3.5)),
        ("start (ms),stopms", "1500,3500", (1.5, 3.5)),
        ("start_timestamp,duration (ms)", "1.5,2000", (1.5, 3.5)),
        ("duration", "2", (None, None)),
    ],
)
def test_bounds_as_tables_give_them(home, columns, cells, bounds):
    (row,) = rows_of(home, f"path,emotion,{columns}\nrec/anna/a1.wav,sad,{cells}\n")
    assert (row.start_s, row.end_s) == bounds


def test_columns_that_are_called_like_bounds_and_are_not_read_are_named(home):
    _, problem = rows_of(home, "path,emotion,start_frame,end_frame\nrec/anna/a1.wav,sad,0,80\n")
    assert problem.reason.startswith(
        "columns start_frame, end_frame are not read, so rows are whole recordings"
    )
    assert len(rows_of(home, "path,emotion,end_of_day\nrec/anna/a1.wav,sad,1\n")) == 1


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("start,STOP_FRAME", "column STOP_FRAME is not read, so rows go on to the end of their recordings"),
        ("onset_frame,end", "column onset_frame is not read, so rows begin with their recordings"),
    ],
)
def test_a_bound_that_is_not_read_beside_one_that_is_gets_named(home, columns, said):
    _, problem = rows_of(home, f"path,emotion,{columns}\nrec/anna/a1.wav,sad,1,2\n")
    assert problem.reason.startswith(said)


@pytest.mark.parametrize("heading", ["Oyente", "Evaluador", "juge", "Hörer"])
def test_listeners_are_known_in_other_languages(home, heading):
    lines = "".join(f"rec/anna/a1.wav,{label},{who}\n" for who, label in enumerate(("sad", "joy", "joy")))
    row = rows_of(home, f"path,emotion,{heading}\n{lines}")[0]
    assert (row.emotion, row.votes) == ("happiness", {"sadness": 1, "happiness": 2})


def test_a_column_of_folders_is_no_column_of_recordings(home):
    row, problem = rows_of(home, "path,file name,emotion\nrec/anna,a1.wav,sad\n")
    assert isinstance(row, Utterance)
    assert problem.reason == "column 'path' names no recordings; they are read from column 'file name'"


@pytest.mark.parametrize(
    "heading", ["annotator_gender", "Gender of rater", "listener sex", "interviewer_gender"]
)
def test_the_gender_of_others_is_not_that_of_who_speaks(home, heading):
    row = rows_of(home, f"path,emotion,{heading}\nrec/anna/a1.wav,sad,male\n")[0]
    assert row.gender == "unknown"


@pytest.mark.parametrize("odd", ["abc", "-1", "1:2:3:4", "inf", "nan"])
def test_a_line_with_no_time_is_a_reject(home, odd):
    (row,) = rows_of(home, f"path,emotion,start\nrec/anna/a1.wav,sad,{odd}\n")
    assert row.reason == f"{odd!r} is not a time, as in 12.5 (seconds) or 0:12.5"


def test_agreement_is_a_share(home):
    text = "path,emotion,agreement\nrec/anna/a1.wav,sad,{}\nrec/ben/b1.wav,sad,{}\n"
    for (first, second), read in ((("0.5", "1"), 0.5), (("50", "100"), 0.5), (("2", "300"), None)):
        assert rows_of(home, text.format(first, second))[0].agreement == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "mine.csv: is empty"),
        ("\n\n", "mine.csv: is empty"),
        ("path,emotion\n", r"mine.csv: holds only a heading \(path, emotion\)"),
        (
            "pth,emotion\na,b\n",
            r"no column gives the path .*; name it path, .*\(found pth, .*\); rename 'pth' if it is meant",
        ),
        ("path,emotoin\na,b\n", r"no column gives the emotion; .*found path, emotoin\).*rename 'emotoin'"),
        ("path\na\n", "no column gives the emotion"),
        (
            "path,emotion\na,1\nb,2\nc,2\n",
            r"no label in its column 'emotion' is an emotion: '2' \(2\), '1' \(1\); .* if they are codes "
            r".*'ser manifest import csv \S*mine.csv --data ",
        ),
        ("path,emotion\na,\n", "no label in its column 'emotion' is an emotion"),
        ("\x00\x01\x02\n\x03", "is not utf-16-be text"),
    ],
)
def test_a_table_that_lists_no_recordings(home, text, message):
    with pytest.raises(CorpusError, match=message):
        rows_of(home, text)


def test_what_is_no_table_at_all(home):
    with pytest.raises(CorpusError, match=r"gone.csv: cannot be read \(No such file"):
        scanned(home / "gone.csv")
    with pytest.raises(CorpusError, match=r"cannot be read \(Is a directory"):
        scanned(home / "rec")
    (home / "a.ods").touch()
    with pytest.raises(CorpusError, match=r"a.ods: is a spreadsheet; save it as CSV"):
        scanned(home / "a.ods")
    (home / "a.xlsx").touch()
    with pytest.raises(CorpusError, match=r"a.xlsx: cannot be read as a workbook .*; save it as CSV"):
        scanned(home / "a.xlsx")
    (home / "a.parquet").write_text("no")
    with pytest.raises(CorpusError, match=r"a.parquet: cannot be read as Parquet"):
        scanned(home / "a.parquet")


TEXT = "path,emotion\nrec/anna/a1.wav,sad\nrec/ben/b1.wav,joy\n"


def test_speakers_from_paths(home):
    one, two = rows_of(home, TEXT, speaker_from="rec/([a-z]+)/")
    assert (one.speaker_id, two.speaker_id) == ("mine-anna", "mine-ben")
    one, two = rows_of(home, TEXT, speaker_from="(?P<who>anna)/")
    assert one.speaker_id == "mine-anna"
    assert two.reason == "--speaker-from '(?P<who>anna)/' finds no speaker in its path"


@pytest.mark.parametrize(
    ("regex", "message"),
    [
        ("([a-z]+", r"--speaker-from '\(\[a-z\]\+' is not a regular expression: missing \)"),
        ("[a-z]+", "has 0 groups; put the part of the path"),
        ("([a-z])([a-z])", "has 2 groups"),
    ],
)
def test_a_regular_expression_that_does_not_fit(home, regex, message):
    with pytest.raises(CorpusError, match=message):
        rows_of(home, TEXT, speaker_from=regex)


def test_speakers_are_found_once(home):
    with pytest.raises(CorpusError, match=r"mine.csv has a column of speakers; leave --speaker-from out"):
        rows_of(home, "path,emotion,speaker\nrec/anna/a1.wav,sad,1\n", speaker_from="(a)")


def test_several_tables_are_several_corpora(home):
    files = [home / "Set 1.csv", home / "rec" / "set_1.csv", home / "Übung.csv", home / "unknown.csv"]
    for file in files:
        file.write_text(f"path,emotion\n{home}/rec/anna/a1.wav,sad\n")
    corpora, discovery = listed_corpora(files, home)
    assert [*corpora] == ["set-1", "set-1-2", "ubung", "own"]
    assert [found.corpus for found in discovery.found] == [*corpora]


def test_the_language_of_all_is_that_of_the_corpus(home):
    for tags, language in ((("de", "de"), "de"), (("de", "it"), "mul"), (("", ""), "und")):
        text = "path,emotion,language\nrec/anna/a1.wav,sad,{}\nrec/ben/b1.wav,joy,{}\n".format(*tags)
        (Path(home) / "mine.csv").write_text(text)
        corpora, _ = listed_corpora([home / "mine.csv"], home)
        assert corpora["mine"].CARD.language == language


def test_ratings_take_the_place_of_emotions(home):
    one, two, remark = rows_of(home, "path,arousal,speaker\nrec/anna/a1.wav,5,7\nrec/ben/b1.wav,1,8\n")
    assert remark.reason == "column 'arousal' is read as ratings from 1 to 5"
    assert {one.emotion, two.emotion} == {"other"}
    assert (one.arousal, two.arousal, one.valence) == (1.0, -1.0, None)
    assert (one.speaker_id, one.source_label) == ("mine-7", "other")


@pytest.mark.parametrize(
    ("heading", "column"),
    [("emotion,emotion", "emotion (2)"), ("emotion,label", "label"), ("emotion,rater_2", "rater_2")],
)
def test_other_columns_of_labels_that_disagree_are_named(home, heading, column):
    text = (
        f"path,{heading},x\nrec/anna/a1.wav,sad,Trauer,1\nrec/ben/b1.wav,joy,anger,2\nrec/ben/b2.wav,joy,,3\n"
    )
    *rows, remark = rows_of(home, text)
    assert [row.emotion for row in rows] == ["sadness", "happiness", "happiness"]
    said = f"column 'emotion' is read as emotion; column {column!r} disagrees in 1 of 3 lines"
    assert remark.reason == said
    assert len(rows_of(home, text.replace("anger", "happy"))) == 3
    named = rows_of(home, text.replace("anger", "sad"))[3:]
    assert [each.reason for each in named] == ([] if column == "rater_2" else [said])


@pytest.mark.parametrize(("labels", "remarks"), [(["neutral"] * 3, 1), (["0", "1", "1"], 0)])
def test_a_column_named_like_labels_is_compared_where_it_holds_words(home, labels, remarks):
    lines = zip(("anna/a1", "ben/b1", "ben/b2"), ("sad", "joy", "joy"), labels, strict=True)
    text = "".join(f"rec/{path}.wav,{emotion},{label},x\n" for path, emotion, label in lines)
    assert len(rows_of(home, f"path,emotion,label,speaker\n{text}")) == 3 + remarks


@pytest.mark.parametrize(
    ("heading", "first", "second"),
    [("label,label_name", "0,joy", "1,anger"), ("label_name,label", "joy,0", "anger,1"),
     ("pred,label,label_name", "sad,0,joy", "joy,1,anger")],
)  # fmt: skip
def test_words_for_emotions_come_before_numbers_of_classes(home, heading, first, second):
    text = f"path,{heading}\nrec/anna/a1.wav,{first}\nrec/ben/b1.wav,{second}\n"
    one, two, remark, *_ = rows_of(home, text)
    assert (one.emotion, two.emotion) == ("happiness", "anger")
    said = "column 'label' holds no words for emotions; labels are read from column 'label_name'"
    assert remark.reason == said


def test_numbers_of_classes_do_not_hide_what_listeners_chose(home):
    text = "path,label,ann1,ann2,ann3\nrec/anna/a1.wav,0,joy,joy,sad\nrec/ben/b1.wav,1,sad,sad,joy\n"
    one, two, *said = rows_of(home, text)
    assert (one.emotion, two.emotion) == ("happiness", "sadness")
    assert "column 'label' holds no words for emotions, and is not read" in [each.reason for each in said]


def test_a_heading_that_occurs_twice_is_named_where_the_columns_differ(home):
    _, remark = rows_of(home, "path,emotion,speaker,speaker\nrec/anna/a1.wav,sad,anna,ann\n")
    assert (
        remark.reason == "column 'speaker' is read as speaker; column 'speaker (2)' disagrees in 1 of 1 line"
    )


def test_a_column_that_is_left_out_is_counted_and_says_why(home):
    text = "path,emotion,valence,arousal,fold\nrec/anna/a1.wav,sad,positive,3,inf\n"
    text += "rec/ben/b1.wav,sad,positive,300,a\n"
    *_, arousal, fold, valence = (row.reason for row in rows_of(home, text)[2:])
    assert valence == (
        "column 'valence' is left out: none of its 2 values can be read: 'positive' (2); 'positive' is not a "
        "number; rename it if it is not valence, or describe the corpus (docs/corpora/describe.md)"
    )
    assert arousal.startswith(
        "column 'arousal' is left out: none of its 2 values can be read: '3' (1), '300' (1)"
    )
    assert "'inf' is not a whole number" in fold


def test_what_a_rating_is_read_as_is_said_unless_its_column_is_called_so(home):
    text = "path,emotion,confidence,Val\nrec/anna/a1.wav,sad,0.25,1\nrec/ben/b1.wav,sad,1,5\n"
    one, _, *said = rows_of(home, text)
    assert (one.agreement, one.valence) == (0.25, -1)
    assert [each.reason for each in said] == [
        "column 'Val' (valence) is read as ratings from 1 to 5",
        "column 'confidence' (agreement) is read as ratings from 0 to 1",
    ]


def test_usual_words_for_intensities_are_read(home):
    text = "path,emotion,intensity\nrec/anna/a1.wav,sad,medium\nrec/ben/b1.wav,joy,Stark\n"
    assert [row.intensity for row in rows_of(home, text)] == ["normal", "high"]


def test_lines_with_more_or_fewer_cells_than_the_heading_are_counted(home):
    text = "path,emotion,speaker\nrec/anna/a1.wav,sad,1,x,y\nrec/anna/a2.wav,sad\nrec/ben/b1.wav,joy,2,\n"
    *_, more, fewer = rows_of(home, text)
    assert more.reason == "1 line has more cells than the heading, the first is line 2; these are not read"
    assert (
        fewer.reason == "1 line has fewer cells than the heading, the first is line 3; the others are empty"
    )


def test_a_value_that_cannot_be_read_costs_itself_and_not_its_column(home):
    text = "path,emotion,age,sex,split,valence,fold\nrec/anna/a1.wav,sad,old,X,foo,n/a,-1\n"
    text += "rec/ben/b1.wav,joy,30,f,dev,5,32767\nrec/ben/b2.wav,joy,,,,1,32768\n"
    odd, one, two, *remarks = rows_of(home, text)
    assert (odd.age, odd.gender, odd.part, odd.valence) == (None, "unknown", None, None)
    assert (one.age, one.gender, one.part, one.valence, two.valence) == (30, "female", "validation", 1, -1)
    assert (odd.fold, one.fold, two.fold) == (None, 32767, None)
    assert [remark.reason for remark in remarks] == [
        "column 'valence' is read as ratings from 1 to 5",
        "column 'age': 1 of 2 values cannot be read and are left out: 'old' (1)",
        "column 'fold': 2 of 3 values cannot be read and are left out: '-1' (1), '32768' (1)",
        "column 'sex': 1 of 2 values cannot be read and are left out: 'X' (1)",
        "column 'split': 1 of 2 values cannot be read and are left out: 'foo' (1)",
        "column 'valence': 1 of 3 values cannot be read and are left out: 'n/a' (1)",
    ]


@pytest.mark.parametrize(
    ("ratings", "read", "said"),
    [
        (("7", "3"), (1, -1 / 3), ["columns 'valence', 'arousal' are read as ratings from 1 to 7"]),
        (("0.5", "-1"), (0.5, -1), ["columns 'valence', 'arousal' are read as ratings from -1 to 1"]),
        (
            ("0.5", "5"),
            (0, 1),
            [
                "column 'valence' is read as ratings from 0 to 1",
                "column 'arousal' is read as ratings from 1 to 5",
            ],
        ),
    ],
)
def test_the_dimensions_of_a_table_have_one_scale(home, ratings, read, said):
    text = "path,valence,arousal\nrec/anna/a1.wav,{},{}\nrec/ben/b1.wav,1,1\n".format(*ratings)
    one, _, *remarks = rows_of(home, text)
    assert (one.valence, one.arousal) == pytest.approx(read)
    assert [remark.reason for remark in remarks] == said


@pytest.mark.parametrize(
    "heading",
    ["Datei;Gefühl;Sprecher;Alter", "Fichier;Émotion;Locuteur;Âge", "Archivo;Emoción;Hablante;Edad",
     "Nome file;Emozione;Parlante;Età", "файл;эмоция;диктор;возраст", "文件;情感;说话人;年龄",
     "ファイル名;感情;話者;年齢"],
)  # fmt: skip
def test_headings_in_other_languages(home, heading):
    (row,) = rows_of(home, f"{heading}\nrec/anna/a1.wav;Wut;7;31\n", encoding="utf-8-sig")
    assert (str(row.path), row.emotion, row.speaker_id, row.age) == ("rec/anna/a1.wav", "anger", "mine-7", 31)


@pytest.mark.parametrize("who", ["unk", "Unknown", "?", "<unk>", "N/A", "unbekannt"])
def test_speakers_whom_nobody_knows_are_nobody(home, who):
    one, two = rows_of(home, f"path,emotion,speaker\nrec/anna/a1.wav,sad,{who}\nrec/ben/b1.wav,joy,NA\n")
    assert (one.speaker_id, two.speaker_id) == ("mine-unknown", "mine-NA")


def test_how_emotions_came_about_is_read_and_never_guessed(home):
    text = "path,emotion,{}\nrec/anna/a1.wav,sad,{}\nrec/ben/b1.wav,joy,{}\n"
    for name, values, styles in (
        ("style", ("scripted", "Improvised"), ["acted", "elicited"]),
        ("condition", ("natural", "?"), ["conversational", "unknown"]),
        ("type", ("a", "b"), ["unknown", "unknown"]),
        ("x", ("acted", "acted"), ["unknown", "unknown"]),
    ):
        rows = rows_of(home, text.format(name, *values))
        assert [row.style for row in rows if isinstance(row, Utterance)] == styles


def test_predictions_are_no_labels(home):
    text = "path,predicted_emotion,true_label\nrec/anna/a1.wav,joy,sad\nrec/ben/b1.wav,fear,joy\n"
    *rows, problem = rows_of(home, text)
    assert [row.emotion for row in rows] == ["sadness", "happiness"]
    assert problem.reason.startswith("column 'true_label' is read as emotion; column 'predicted_emotion' dis")
    with pytest.raises(CorpusError, match="no column gives the emotion"):
        rows_of(home, "path,predicted_emotion\nrec/anna/a1.wav,joy\n")


def test_ratings_under_german_headings(home):
    text = "Datei;Gefühl;Valenz;Erregung;Dominanz;Alter\nrec/anna/a1.wav;Ärger;1,5;5;2;24,0\n"
    row = rows_of(home, text)[0]
    assert (row.valence, row.arousal, row.dominance, row.age) == (-0.75, 1.0, -0.5, 24)
