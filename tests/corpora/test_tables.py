from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.corpora.tables import (
    CorpusTable,
    age_of,
    gender_of,
    read_any,
    read_table,
    read_text,
    share_of,
)
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import MissingAudio, TableProblem


def person(line):
    return line["id"], {"age": age_of(line["age"])}


def table_of(root, read_row=person):
    return read_table("toy", root, "tables/people.csv", read_row, ("id", "age"))


def test_a_table_gives_facts_by_key_and_nothing_to_remark(put):
    table = table_of(put(**{"tables/people.csv": 'id,"age",more\na,31,x\n\n"b",40,y\n'}))
    assert table.facts("b") == {"age": 40}
    assert table.facts("nobody") == {}
    assert list(table.remarks({"a", "b"})) == []


def test_a_byte_order_mark_crlf_and_blanks_in_the_heading_are_read_over(put):
    table = table_of(put(**{"tables/people.csv": b"\xef\xbb\xbfid, age\r\na,31\r\n"}))
    assert table.rows == {"a": {"age": 31}}


def test_a_table_right_beside_the_recordings_will_do(put):
    root = put(**{"people.csv": "id,age\na,31\n"})
    assert table_of(root).rows == {"a": {"age": 31}}


def test_lines_without_a_recording_are_counted_with_examples(put):
    lines = "".join(f"p{number},20\n" for number in range(9))
    table = table_of(put(**{"tables/people.csv": "id,age\n" + lines}))
    remarks = list(table.remarks({"p3"}))
    assert remarks == [MissingAudio("toy", "tables/people.csv", 8, ("p0", "p1", "p2", "p4", "p5"))]
    assert list(table.remarks(None)) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "not found; the rows lack its information"),
        (b"", "lacks column id, age (found nothing); the rows lack its information"),
        (b"id,name\na,b\n", "lacks column age (found id, name); the rows lack its information"),
        (b"id,age\na,31\nb,\xff\n", "line 3 is not UTF-8 text; the rows lack its information"),
        (
            b"id,age\na," + b"1" * 140_000,
            "line 2 is not a line of a table: field larger than field limit (131072); "
            "the rows lack its information",
        ),
    ],
)
def test_a_table_that_cannot_be_read_is_a_problem_and_not_an_error(put, content, reason):
    table = table_of(put() if content is None else put(**{"tables/people.csv": content}))
    assert table.rows == {}
    assert list(table.remarks(set())) == [TableProblem("toy", "tables/people.csv", reason)]


@pytest.mark.parametrize(
    ("lines", "keys", "reason"),
    [
        ("a,old\nb,40\n", {"b"}, "line 2: age 'old' is not a whole number from 1 to 120; that line is left"),
        ("a,31\nb\n", {"a"}, "line 3: age '' is not a whole number from 1 to 120; that line is left out"),
        ("a,31\na,40\n", {"a"}, "line 3: 'a' occurs a second time; that line is left out"),
        ("a,0\nb,x\nc,40\n", {"c"}, "2 lines are left out; the first is line 2: age '0' is not a whole"),
    ],
)
def test_a_bad_line_costs_only_itself(put, lines, keys, reason):
    table = table_of(put(**{"tables/people.csv": "id,age\n" + lines}))
    assert set(table.rows) == keys
    assert table.rows.get("a", {"age": 31}) == {"age": 31}
    assert table.problem is not None
    assert table.problem.startswith(reason)


def test_a_row_reader_may_pass_over_lines(put):
    root = put(**{"tables/people.csv": "id,age\na,31\nb,40\n"})
    table = table_of(root, lambda line: None if line["id"] == "a" else person(line))
    assert table == CorpusTable("toy", "tables/people.csv", {"b": {"age": 40}})


def test_the_first_encoding_that_fits_is_taken(put):
    root = put(utf=b"nat\xc3\xbcrlich", latin=b"nat\xfcrlich")
    for name in ("utf", "latin"):
        assert read_text(root / name, ("utf-8-sig", "latin-1")) == "natürlich"
    with pytest.raises(CorpusError, match="line 1 is not UTF-8 or ascii text"):
        read_text(root / "latin", ("utf-8-sig", "ascii"))


def test_a_file_that_cannot_be_opened_is_a_corpus_error(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"cannot be read \(Is a directory\)"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("text", "share"), [("95,00", 0.95), ("0", 0.0), (" 100.0 ", 1.0), ("65,00\xa0\xa0", 0.65)]
)
def test_shares_are_read_with_comma_or_point(text, share):
    assert share_of(text, 100) == pytest.approx(share)


@pytest.mark.parametrize("text", ["101", "-1", "nan", "inf"])
def test_a_share_out_of_range_is_refused(text):
    with pytest.raises(ValueError, match=f"{text} is not between 0 and 100"):
        share_of(text, 100)


def test_a_share_must_be_a_number():
    with pytest.raises(ValueError, match="'many' is not a number"):
        share_of("many", 100)


def test_genders_are_read_in_any_case():
    assert [gender_of(text) for text in ("Female", " male ")] == ["female", "male"]
    with pytest.raises(ValueError, match="'x' is neither female nor male"):
        gender_of("x")


@pytest.mark.parametrize("text", ["", "0", "121", "3.5", "-4", "²"])
def test_an_age_must_be_a_whole_number_of_years(text):
    with pytest.raises(ValueError, match="is not a whole number from 1 to 120"):
        age_of(text)


def test_an_object_of_lists_of_one_is_a_table(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [{"x": 1}], "b": [{"x": 2, "y": 3}]}')
    rows = [line for _, line in read_any(tmp_path / "a.json")]
    assert rows == [{"": "a", "x": "1", "y": ""}, {"": "b", "x": "2", "y": "3"}]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_line_in_which_excel_names_the_separator_is_heeded(tmp_path, mark):
    path, odd = tmp_path / "t.csv", []
    path.write_text(f"sep={mark}\npath;a,b\tc\nx;y,z\tw\n")
    assert [[*row.values()] for _, row in read_any(path, odd=odd)] == ["x;y,z\tw".split(mark)]
    assert (read_any(path)[0][0], odd) == (3, [])


def test_recordings_in_columns_of_large_bytes_are_addresses(tmp_path):
    audio = pa.array([{"bytes": b"x"}], pa.struct([("bytes", pa.large_binary())]))
    pq.write_table(pa.table({"audio": audio}), tmp_path / "t.parquet")
    assert read_any(tmp_path / "t.parquet") == [(1, {"audio": f"parquet://audio/0::{tmp_path}/t.parquet"})]


@pytest.mark.parametrize(
    ("encoding", "label"),
    [("cp1251", "радость"), ("cp1251", "ГНЕВ"), ("cp932", "怒り"), ("cp1250", "złość"), ("cp1254", "şaşkin"),
     ("cp1253", "λύπη"), ("cp1256", "غضب"), ("gb18030", "愤怒"), ("big5", "憤怒")],
)  # fmt: skip
def test_labels_tell_the_encoding_of_other_alphabets(tmp_path, encoding, label):
    (tmp_path / "t.csv").write_text(f"path,emotion\na,{label}\nb,sad\n", encoding)
    assert [row["emotion"] for _, row in read_any(tmp_path / "t.csv")] == [label, "sad"]
