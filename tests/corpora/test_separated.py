"""Quotes in tables that are left open."""

import pytest

from ser_pipeline.corpora.separated import separated_lines
from ser_pipeline.corpora.tables import read_any
from ser_pipeline.errors import CorpusError

ROWS = "".join(f"{n}.wav,sad,s{n}\n" for n in range(20))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'path,emotion,speaker\n"0.wav,sad,s0\n{ROWS}',
            "line 2: .* never closed; 20 lines follow inside it",
        ),
        (f'path,emotion,text\n{ROWS}a,b,"c\nd","e\n{ROWS}', "line 23: .* never closed; 20 lines follow"),
        ('path,text\na,"b', "line 2: a quote is opened and never closed; close it or take it out"),
        (
            f'path,emotion,text\na,b,"c\n{ROWS}d,e,f"\n',
            "line 2: .* closed only in line 23, where another one",
        ),
        ('path,emotion,text\na,b,"c\nd,e,f\ng,h,"i\n', "line 2: .* closed only in line 4, where another one"),
        (f'path,text\na,"b\n{ROWS * 1000}', "line 2: a quote is opened and not closed within .* lines"),
    ],
)
def test_a_quote_that_is_left_open_is_refused_with_its_line(text, said, end):
    with pytest.raises(CorpusError, match=said):
        separated_lines(text.replace("\n", end), ",")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('"one\ntwo, three\n\nfour"', "one\ntwo, three\n\nfour"),
        ('"she said ""no, no"",\nand, well, left"', 'she said "no, no",\nand, well, left'),
        ('5" tall, so', '5" tall'),
    ],
)
def test_cells_of_several_lines_and_quotes_inside_a_cell_are_fine(cell, value):
    found = separated_lines(f"path,emotion,text\na,sad,{cell}\nb,sad,x\n", ",")
    assert found[1][1][2] == value
    assert found[2] == (3 + cell.count("\n"), ["b", "sad", "x"])


def test_verses_with_a_comma_in_each_line_are_no_rows():
    verse = "\n".join(["Rose, oh pure"] * 4)
    assert separated_lines(f'path,text\na,"{verse}"\n', ",")[1] == (5, ["a", verse])


def test_every_table_of_text_is_read_so(tmp_path):
    (tmp_path / "a.tsv").write_text('path\temotion\na.wav\t"sad\nb.wav\tjoy\n')
    with pytest.raises(CorpusError, match="line 2: a quote is opened and never closed; 1 line"):
        read_any(tmp_path / "a.tsv")
