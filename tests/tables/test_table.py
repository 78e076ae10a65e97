import pytest

from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table, entry, one_line, table_of


def test_columns_of_numbers_alone_are_numeric():
    made = table_of("t", ["name", "n", "mixed", "none"], [["a", 1, 2, None], ["b", 0.5, "x", None]])
    assert [column.numeric for column in made.columns] == [False, True, False, True]


def test_columns_and_entries_may_be_given():
    column = Column("UAR", unit="%")
    made = table_of("t", [column], [[Entry("50.0", 0.5)]])
    assert made.columns == (column,)
    assert made.headings == ["UAR, %"]
    assert made.rows[0].entries == (Entry("50.0", 0.5),)


def test_a_table_without_rows_holds_no_numbers():
    assert not table_of("t", ["a"], []).columns[0].numeric


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.12345, "0.123"), (7, "7"), ("x", "x"), (True, "True")]
)
def test_plain_values_have_a_text(value, text):
    assert entry(value) == Entry(text, value)


def test_rows_of_all_groups_are_one_list():
    one, two = Row((Entry("a"),)), Row((Entry("b"),))
    assert Table("t", "", (Column("x"),), (RowGroup((one,)), RowGroup((two,)))).rows == (one, two)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J"), ("a\u202eb", "a\\u202eb"), ("\xa0é", "\xa0é")],
)
def test_what_steers_a_terminal_is_escaped(text, shown):
    assert one_line(text) == shown
