"""Tables in every form: lines of cells with open quotes, JSON, and TextGrids."""

import json

import pytest

from ser_pipeline.corpora.table_formats import json_rows, separated_lines, textgrid_rows
from ser_pipeline.corpora.tables import read_any
from ser_pipeline.errors import CorpusError

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "emotion"
        xmin = 0
        xmax = 2
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = "anger"
        intervals [2]:
            xmin = 1.5
            xmax = 2
            text = ""
    item [2]:
        class = "TextTier"
        name = "click"
        xmin = 0
        xmax = 2
        points: size = 1
        points [1]:
            number = 0.25
            mark = "a ""mark"" here"
"""
SHORT = '"ooTextFile"\n"TextGrid"\n0\n2\n<exists>\n1\n"IntervalTier"\n"emotion"\n0\n2\n1\n0\n2\n"2 sad"\n'

ROWS = "".join(f"{n}.wav,sad,s{n}\n" for n in range(20))


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ([{"f": "a", "e": 1.0}, {"f": "b"}], [{"f": "a", "e": "1"}, {"f": "b", "e": ""}]),
        ({"a1.wav": "joy", "a2.wav": "x"}, [{"": "a1.wav", "value": "joy"}, {"": "a2.wav", "value": "x"}]),
        ({"id": 7, "who": {"id": "p", "age": 3}}, [{"id": "7", "who.id": "p", "who.age": "3"}]),
        ({"info": {"v": 1}, "all": [{"f": {"n": "a"}}, {"f": {"n": "b"}}]}, [{"f.n": "a"}, {"f.n": "b"}]),
        ({"d1": {"tv": "x", "say": {"u1": {"e": "joy"}, "u2": {"e": "sad"}}},
          "d2": {"tv": "y", "say": {"u3": {"e": "joy"}}}},
         [{"tv": "x", "": "u1", "e": "joy"}, {"tv": "x", "": "u2", "e": "sad"},
          {"tv": "y", "": "u3", "e": "joy"}]),
        ({f"c{n}": {"e": "joy", "by": [{"r": "1", "e": "x"}, {"r": "2", "e": "y"}]} for n in range(3)},
         [{"": f"c{n}", "e": "joy", "by": "[{'r': '1', 'e': 'x'}, {'r': '2', 'e': 'y'}]"} for n in range(3)]),
    ],
)  # fmt: skip
def test_the_rows_of_json_are_its_collection_of_objects(value, rows):
    assert json_rows(json.dumps(value), lines=False) == rows


@pytest.mark.parametrize("text", ["[1, 2]", '"text"', "{", '[{"a": 1}, 2]'])
def test_json_that_is_no_table_is_refused(text):
    with pytest.raises(CorpusError, match="is not JSON of a table"):
        json_rows(text, lines=False)


def test_both_forms_of_textgrid_are_read():
    assert textgrid_rows(LONG) == [
        {"start": "0", "end": "1.5", "emotion": "anger", "click": ""},
        {"start": "1.5", "end": "2", "emotion": "", "click": ""},
        {"start": "0.25", "end": "0.25", "emotion": "", "click": 'a "mark" here'},
    ]
    assert textgrid_rows(SHORT) == [{"start": "0", "end": "2", "emotion": "2 sad"}]


@pytest.mark.parametrize("text", ["", "start end\n0 1\n", LONG.replace("size = 2", "size = 9")])
def test_what_is_no_textgrid_is_refused(text):
    with pytest.raises(CorpusError, match=r"is not a TextGrid of Praat"):
        textgrid_rows(text)


@pytest.mark.parametrize(
    ("text", "heading", "rows"),
    [
        ("a.wav joy\nb.wav   fear\n", False, [{"1": "a.wav", "2": "joy"}, {"1": "b.wav", "2": "fear"}]),
        ("% [a, b]\n[1 - 2]\tu1\tneu\nC: x;\n[2 - 3]\tu2\tang\n", False,
         [{"1": "% [a, b]", "2": "", "3": ""}, {"1": "[1 - 2]", "2": "u1", "3": "neu"},
          {"1": "C: x;", "2": "", "3": ""}, {"1": "[2 - 3]", "2": "u2", "3": "ang"}]),
        ("file emotion\na.wav joy\n", True, [{"file": "a.wav", "emotion": "joy"}]),
        ("joy\n", False, [{"1": "joy"}]),
        ("a.wav: joy\nb.wav: fear\n", False, [{"1": "a.wav", "2": "joy"}, {"1": "b.wav", "2": "fear"}]),
        ("e,v,e,e\njoy,1,sad,x\n", True, [{"e": "joy", "v": "1", "e (2)": "sad", "e (3)": "x"}]),
    ],
)  # fmt: skip
def test_text_without_marks_or_heading_is_a_table(tmp_path, text, heading, rows):
    (tmp_path / "t.txt").write_text(text)
    assert [row for _, row in read_any(tmp_path / "t.txt", heading=heading)] == rows


def test_half_a_letter_in_json_is_a_question_mark():
    assert json_rows('[{"a": "x\\ud800"}, {"a": "\\ud83d\\ude00"}]', lines=False) == [
        {"a": "x?"},
        {"a": "😀"},
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'path,emotion,speaker\n"0.wav,sad,s0\n{ROWS}',
            "line 2: .* never closed; 20 lines follow inside it",
        ),
        (f'path,emotion,text\n{ROWS}a,b,"c\nd","e\n{ROWS}', "line 23: .* never closed; 20 lines follow"),
        ('path,text\na,"b', "line 2: a quote is opened and never closed; close or remove it"),
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
