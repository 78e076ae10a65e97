import csv
import io
import json

import pytest

from ser_pipeline.tables import (
    Column,
    Entry,
    Row,
    RowGroup,
    Table,
    csv_text,
    html_table,
    json_table,
    markdown_table,
    records,
    table_of,
)

LONG = "a text that is longer than any screen " * 20


def grouped():
    columns = (Column("Name", numeric=False), Column("UAR", unit="%"))
    rows = (Row((Entry("<a>", "<a>"), Entry("50.0", 0.5, note="40-60", bar=0.5)), ("claimed",)),)
    return Table("t", "Numbers", columns, (RowGroup(rows, "G"),), ("a note",), title="Table 1")


def test_records_and_csv_hold_values_in_full():
    table = table_of("t", ["name", "n", "zero", "none"], [[LONG, 1 / 3, 0, None]])
    assert records(table) == [{"name": LONG, "n": 1 / 3, "zero": 0, "none": None}]
    assert list(csv.reader(io.StringIO(csv_text(table)))) == [
        ["name", "n", "zero", "none"],
        [LONG, str(1 / 3), "0", ""],
    ]


def test_groups_are_a_column_of_records_and_csv():
    assert records(grouped()) == [{"group": "G", "Name": "<a>", "UAR, %": 0.5}]
    assert csv_text(grouped()) == 'group,Name,"UAR, %"\nG,<a>,0.5\n'


def test_json_holds_texts_beside_values():
    whole = json.loads(json.dumps(json_table(grouped())))
    assert whole["columns"] == ["Name", "UAR, %"]
    assert (whole["label"], whole["caption"], whole["notes"]) == ("Table 1", "Numbers", ["a note"])
    (row,) = whole["groups"][0]["rows"]
    assert row["cells"][1] == {"value": 0.5, "text": "50.0", "note": "40-60"}
    assert row["marks"] == ["claimed"]


def test_html_is_escaped_and_sortable():
    page = html_table(grouped())
    assert "<a>" not in page
    assert (
        '<th scope="row" data-value="&lt;a&gt;">&lt;a&gt; <span class="chip claimed">claimed</span></th>'
        in page
    )
    assert (
        '<td class="number bar" data-value="0.5" style="--share: 50.0%">50.0<small>40-60</small></td>' in page
    )
    assert (
        '<th scope="col" data-kind="number" class="number"><button type="button">UAR, %</button></th>' in page
    )
    assert '<caption id="caption-t"><span><b>Table 1.</b> Numbers.</span></caption>' in page
    assert page.endswith('<p class="note">a note</p>\n')


def test_html_names_columns_that_say_nothing_and_leaves_them_out():
    columns = ("name", "zero", Column("kept", keep=True), "none", "played")
    page = html_table(table_of("t", columns, [["a", 0, 0, None, Entry("", sound=b"mp3")]]), sortable=False)
    assert [page.count(f">{name}</th>") for name in ("name", "zero", "kept", "none", "played")] == [
        1,
        0,
        1,
        0,
        1,
    ]
    assert page.count("<td") == 2
    assert '<p class="note">Empty or 0 in every row: zero, none.</p>' in page
    assert "Empty" not in html_table(table_of("t", ("name", "zero"), []))


def test_html_without_a_key_names_nothing():
    page = html_table(table_of("t", ["a\x1b"], [["b\x00"]]))
    assert "id=" not in page
    assert "a\\x1b" in page
    assert "b\\x00" in page


@pytest.mark.parametrize(("share", "shown"), [(1.5, "100.0"), (-0.1, "0.0")])
def test_bars_stay_inside_their_column(share, shown):
    assert f"--share: {shown}%" in html_table(table_of("t", ["a", "b"], [["x", Entry("", share, bar=share)]]))


def test_names_that_steer_a_terminal_are_escaped_in_markdown():
    text = "".join(markdown_table(table_of("t", ["file"], [["a\x1b[31m.wav"]])))
    assert "\x1b" not in text
    assert "x1b" in text
