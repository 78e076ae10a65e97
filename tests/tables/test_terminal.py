import io
import re
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_pipeline.tables import (
    Column,
    Entry,
    Row,
    RowGroup,
    Table,
    print_table,
    prose,
    table_of,
    terminal_lines,
)
from ser_pipeline.tables.terminal import AROUND, ELLIPSIS, LEAST_NAME, first_rows

WIDTHS = (80, 100, 160)
EMOTIONS = ("anger", "happiness", "neutral", "sadness", "fear", "surprise", "disgust", "calm", "boredom")


def text_of(table, width=None, **options):
    return [line for line, _ in terminal_lines(table, width, **options)]


def corpora(count=8):
    rows = [[f"corpus-{n}", 1000 + n, 90, 1.25, 7442, *(100 + n for _ in EMOTIONS)] for n in range(count)]
    return table_of("by corpus", ["corpus", "clips", "speakers", "hours", "published", *EMOTIONS], rows)


def claims():
    claim = "levelling to a common loudness raises UAR on corpora that were never heard in training"
    heads = ["verdict", "family", "claim", "first", "second", "difference", "95 % interval", "p", "tested"]
    row = [
        "holds",
        "levels",
        claim,
        61.2,
        50.1,
        11.1,
        "+2.0 to +20.1",
        0.012,
        "all: 1,200 clips, 40 speakers",
    ]
    return table_of("claims", heads, [row] * 3)


def runs():
    name = "2026-01-02T03-04-05-crnn-4class-speaker-seed0-fold3"
    heads = ["name", "model", "task", "split", "seed", "UAR", "from", "to", "age", "MiB"]
    return table_of(
        "runs", heads, [[name, "crnn", "4class", "speaker", 0, 0.61, 0.5, 0.7, "3 days", 8.9]] * 2
    )


def files():
    return table_of("rejects", ["file", "reason"], [["EmoDB/wav/03a01\x1b[2JFa.wav", "empty\nfile"]])


def words_of(table):
    texts = [text for row in table.rows for each in row.entries for text in (each.text, each.note)]
    return {word for text in [*texts, *table.headings] for word in text.split()}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("table", [corpora(), claims(), runs(), files()], ids=lambda table: table.title)
def test_every_line_fits_and_no_word_is_broken(table, width):
    lines = text_of(table, width, everything=True)
    assert max(map(len, lines)) <= width
    known = {word.replace("\x1b", "\\x1b") for word in words_of(table)} | {"empty\\nfile"}
    for word in " ".join(lines).split():
        whole = word in known or set(word) == {"─"} or word in table.title
        shortened = word.endswith(ELLIPSIS) and any(each.startswith(word[:-1]) for each in known)
        assert whole or (shortened and len(word) >= LEAST_NAME), word


@pytest.mark.parametrize(("width", "upright"), [(80, False), (100, False), (160, True)])
def test_a_wide_screen_shows_rows_as_rows(width, upright):
    lines = text_of(corpora(), width)
    heads = ["corpus", "clips", "speakers"] if upright else ["corpus", "corpus-0", "corpus-1"]
    assert lines[1].split()[:3] == heads


def test_a_table_that_was_turned_holds_every_number():
    lines = text_of(corpora(), 80)
    hours = [line.split()[1:] for line in lines if line.startswith("hours")]
    assert list(chain(*hours)) == ["1.250"] * 8
    clips = [line.split()[1:] for line in lines if line.startswith("clips")]
    assert list(chain(*clips)) == [str(1000 + n) for n in range(8)]


def test_numbers_stand_right_upright_and_turned():
    upright = text_of(table_of("t", ["name", "n"], [["a", 5], ["b", 12345]]), 80)
    assert [line[-1] for line in upright[3:]] == ["5", "5"]
    assert len({len(line) for line in upright[3:]}) == 1
    turned = text_of(corpora(), 80)
    assert len({len(line) for line in turned[1:13]}) == 1


def test_numbers_among_texts_end_below_each_other():
    lines = text_of(claims(), 80)
    first, second, p = (
        next(line for line in lines if line.startswith(head)) for head in ("first", "second", "p ")
    )
    assert len(first) == len(second) == len(p)


def test_long_names_end_in_an_ellipsis_before_a_table_is_turned():
    lines = text_of(runs(), 80)
    assert lines[1].startswith("name")
    assert lines[3].split()[0].endswith(ELLIPSIS)
    assert "2026-01-02T03-04-05-crnn-4class-speaker-seed0-fold3" in text_of(runs(), 160)[3]


@pytest.mark.parametrize("whole", [True, False])
def test_names_that_people_copy_stand_on_lines_of_their_own_before_they_are_shortened(whole):
    name = "2026-01-02T03-04-05-crnn-4class-speaker-seed0-fold3"
    columns = [Column("name", numeric=False, whole=whole), "model", "split", "n", "interval"]
    lines = text_of(table_of("t", columns, [[name, "crnn", "speaker", 1000, "0.583 (0.541-0.622)"]] * 2), 80)
    assert any(ELLIPSIS in line for line in lines) is not whole
    if whole:
        assert lines == [
            "t",
            "name",
            "  model  split       n  interval",
            "  ─────  ───────  ────  ───────────────────",
            name,
            *["  crnn   speaker  1000  0.583 (0.541-0.622)"] * 2,  # the name is not said again
        ]


def test_a_table_is_turned_where_what_is_below_the_names_does_not_fit():
    name = "2026-01-02T03-04-05-crnn-4class-speaker-seed0-fold3"
    columns = [Column("name", numeric=False, whole=True), *(f"number-{place}" for place in range(20))]
    lines = text_of(table_of("t", columns, [[name, *range(20)]]), 80)
    assert lines[1].split() == ["name", name]


def test_prose_keeps_its_indent_and_breaks_between_words():
    assert prose("  cremad: rows without a recording", 20) == ["  cremad: rows", "  without a", "  recording"]
    assert prose("key  a value of some words", 16, 5) == ["key  a value of", "     some words"]
    assert prose("one/very/long/path/that/nobody/may/break", 12) == [
        "one/very/long/path/that/nobody/may/break"
    ]
    assert prose("", 12) == [""]


def test_two_columns_of_long_names_are_never_both_shortened():
    paths = [[f"corpus{n}", "Session1/sentences/" + "x" * 45, "doi:10.1109/" + "y" * 50] for n in "ab"]
    lines = text_of(table_of("t", ["corpus", "layout", "source"], paths), 80)
    assert lines[1].split() == ["corpus", "corpusa"]
    assert ELLIPSIS not in "".join(lines)


def test_wide_numbers_are_never_shortened():
    lines = text_of(table_of("t", [f"n{place}" for place in range(8)], [[10**15 + 1] * 8]), 80)
    assert " ".join(lines).split().count(str(10**15 + 1)) == 8


def test_columns_that_say_nothing_are_left_out_and_named():
    table = table_of(
        "t",
        ["name", "zero", Column("kept", keep=True), "empty", "n"],
        [["a", 0, 0, None, 1], ["b", 0.0, 0, "", 0]],
    )
    lines = text_of(table, 80)
    assert lines[1].split() == ["name", "kept", "n"]
    assert lines[-1] == "Empty or 0 in every row: zero, empty ('ser --all-columns' shows them)."
    assert text_of(table, 80, everything=True)[1].split() == ["name", "zero", "kept", "empty", "n"]


def test_a_table_without_rows_keeps_its_headings():
    assert text_of(table_of("t", ["a", "b"], []), 80)[1].split() == ["a", "b"]


def test_what_is_not_a_screen_gets_everything():
    file = io.StringIO()
    print_table(claims(), file=file)
    lines = file.getvalue().splitlines()
    assert len(lines) == 1 + 2 + 3
    assert (
        "levelling to a common loudness raises UAR on corpora that were never heard in training" in lines[3]
    )
    assert "\x1b" not in file.getvalue()
    print_table(table_of("t", ["a", "zero"], [["x" * 500, 0]]), file=(file := io.StringIO()))
    assert "x" * 500 + "     0" in file.getvalue()


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", WIDTHS)
def test_a_screen_is_asked_for_its_width(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    print_table(corpora(), file=screen)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in screen.getvalue().splitlines()]
    assert lines == text_of(corpora(), width)
    assert "\x1b[1m" in screen.getvalue()


@pytest.mark.parametrize("width", [None, *WIDTHS])
def test_control_characters_of_a_name_never_reach_the_screen(width):
    text = "\n".join(text_of(files(), width))
    assert "\\x1b[2J" in text
    assert "\x1b" not in text
    assert "empty\\nfile" in text


def test_groups_notes_marks_and_totals_are_shown():
    rows = (
        Row((Entry("a"), Entry("50.0", 0.5, note="40.0-60.0")), ("synthetic",)),
        Row((Entry("All"), Entry("1", 1)), total=True),
    )
    group = RowGroup(rows, "Group", "why", ("claimed",))
    table = Table(
        "k", "Numbers", (Column("Name", numeric=False), Column("UAR", unit="%")), (group,), ("a note",)
    )
    assert text_of(table, 80) == [
        "Numbers",
        "Name                     UAR, %",
        "─────────────  ────────────────",
        "Group [claimed]",
        "a [synthetic]  50.0 (40.0-60.0)",
        "─" * 31,
        "All                           1",
        "a note",
        "Group: why",
    ]


def test_wide_letters_take_two_places():
    lines = text_of(table_of("t", ["name", "n"], [["恐怖", 1], ["ab", 2]]), 80)
    assert lines[3:] == ["恐怖  1", "ab    2"]


words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30)
texts = st.lists(words, min_size=1, max_size=12).map(" ".join)


@settings(max_examples=60)
@given(st.data(), st.integers(1, 12), st.integers(1, 6), st.sampled_from(WIDTHS))
def test_any_table_fits_any_screen(data, columns, rows, width):
    kinds = data.draw(st.lists(st.booleans(), min_size=columns, max_size=columns))
    lines = [[data.draw(st.integers(0, 10**9) if number else texts) for number in kinds] for _ in range(rows)]
    table = table_of("t", [data.draw(words) for _ in kinds], lines)
    shown = text_of(table, width, everything=True)
    assert max(map(len, shown)) <= width
    numbers = [
        str(value) for row in lines for value, number in zip(row[1:], kinds[1:], strict=True) if number
    ]
    assert set(numbers) <= set(" ".join(shown).split())


def test_a_screen_gets_as_many_rows_as_it_has_lines_for():
    words = "some words that take two lines of a screen which is no wider than eighty columns, or even three"
    table = table_of("t", ["n", "words"], [[n, words if n > 2 else "few"] for n in range(9)])
    shown = io.StringIO()
    for most, rows, note in (
        (6, 4, "5 more rows are not shown; --full shows all."),
        (13, 8, "1 more row is not shown; --full shows all."),
        (14, 9, ""),
    ):
        cut = first_rows(table, most, 80)
        assert len(cut.rows) == rows
        assert "".join(cut.notes) == note
        assert len(text_of(cut, 80)) <= most + AROUND
    print_table(table, width=80, most=6, file=shown)
    assert shown.getvalue().splitlines() == text_of(first_rows(table, 6, 80), 80)
    assert len(first_rows(table, 1, 80).rows) == 1
    assert first_rows(table_of("t", ["a"], []), 1, 80).rows == ()
