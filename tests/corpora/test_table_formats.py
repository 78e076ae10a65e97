"""Tables in every form: lines of cells with open quotes, JSON, spreadsheets, and TextGrids."""

import json
import zipfile

import pytest

from ser_pipeline.corpora.listed import listed_corpora
from ser_pipeline.corpora.table_formats import json_rows, separated_lines, sheet_rows, textgrid_rows
from ser_pipeline.corpora.tables import read_any
from ser_pipeline.errors import CorpusError

NAMES = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = f"<worksheet {NAMES}><sheetData>{{}}</sheetData></worksheet>"
SHARED = f"<sst {NAMES}>{{}}</sst>"

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


def workbook(path, sheet, shared=(), more=()):
    with zipfile.ZipFile(path, "w") as book:
        for number, each in enumerate((sheet, *more), 1):
            book.writestr(f"xl/worksheets/sheet{number}.xml", SHEET.format(each))
        if shared:
            book.writestr("xl/sharedStrings.xml", SHARED.format("".join(f"<si>{s}</si>" for s in shared)))
    return path


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


def test_a_sheet_is_read_with_shared_inline_and_plain_cells_and_gaps(tmp_path):
    rows = (
        '<row><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>'
        '<row><c r="A2"><v>7.0</v></c><c r="C2" t="inlineStr"><is><t>joy</t></is></c></row>'
    )
    path = workbook(
        tmp_path / "t.xlsx",
        rows,
        ("<t>file</t>", "<r><t>emo</t></r><r><t>tion</t></r><rPh sb='0'><t>reading</t></rPh>"),
    )
    assert sheet_rows(path) == [(1, ["file", "", "emotion"]), (2, ["7", "", "joy"])]
    assert read_any(path) == [(2, {"file": "7", "": "", "emotion": "joy"})]
    assert read_any(path, heading=False)[1] == (2, {"1": "7", "2": "", "3": "joy"})


def test_columns_after_z_are_in_their_place(tmp_path):
    path = workbook(tmp_path / "t.xlsx", '<row><c r="AB1"><v>1</v></c></row>')
    assert sheet_rows(path) == [(1, [*[""] * 27, "1"])]


def test_rows_of_a_sheet_that_are_only_formatted_are_no_lines(tmp_path):
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
    rows = f'<row r="1">{cell("path")}</row><row r="3"><c s="4"/></row><row r="5">{cell("x")}</row>'
    assert read_any(workbook(tmp_path / "t.xlsx", '<row><c s="4"/></row>', (), (rows,))) == [
        (5, {"path": "x"})
    ]


def test_the_first_sheet_is_the_first_tab_that_is_not_hidden(tmp_path):
    cell = '<row><c t="inlineStr"><is><t>{}</t></is></c></row>'.format
    path, odd = workbook(tmp_path / "t.xlsx", cell("old"), (), (cell("hidden"), cell("first"))), []
    tabs = '<sheet r:id="b" state="hidden"/><sheet r:id="c"/><sheet r:id="a"/>'
    links = [
        ("a", "worksheets/sheet1.xml"),
        ("b", "worksheets/sheet2.xml"),
        ("c", "/xl/worksheets/sheet3.xml"),
    ]
    with zipfile.ZipFile(path, "a") as book:
        book.writestr("xl/workbook.xml", f'<workbook {NAMES} xmlns:r="r"><sheets>{tabs}</sheets></workbook>')
        found = "".join(f'<Relationship Id="{name}" Target="{file}"/>' for name, file in links)
        book.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{found}</Relationships>")
    assert sheet_rows(path, odd) == [(1, ["first"])]
    assert odd == ["only the first of its 2 sheets is read; save another one as CSV"]


def test_of_several_sheets_the_first_is_read_and_the_others_are_said(tmp_path):
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
    first, second = (f"<row>{cell(name)}</row><row>{cell('x')}</row>" for name in ("note", "path"))
    path, odd = workbook(tmp_path / "t.xlsx", "", (), (first, "", second)), []
    assert read_any(path, odd=odd) == [(2, {"note": "x"})]
    assert odd == ["only the first of its 2 sheets is read; save another one as CSV"]
    with pytest.raises(CorpusError, match=r"no column gives the path .*; only the first of its 2 sheets is"):
        listed_corpora([path], tmp_path)
    path = workbook(tmp_path / "h.xlsx", f"<row>{cell('note')}</row>", (), (second,))
    with pytest.raises(
        CorpusError, match=r"holds only a heading \(note\); only the first of its 2 sheets is"
    ):
        read_any(path)


def test_a_workbook_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "text.xlsx").write_text("no zip")
    for path in (tmp_path / "text.xlsx", workbook(tmp_path / "cut.xlsx", "<row>")):
        with pytest.raises(CorpusError, match=r"cannot be read as a workbook of Excel .*; save it as CSV"):
            sheet_rows(path)
    with pytest.raises(CorpusError, match="holds no line"):
        read_any(workbook(tmp_path / "empty.xlsx", ""))


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
