"""Sheets of Excel workbooks: cells of every kind, gaps, hidden tabs, times, and files that are none."""

import zipfile

import pytest

from ser_pipeline.corpora.listed import listed_corpora
from ser_pipeline.corpora.tables import read_any
from ser_pipeline.corpora.workbooks import sheet_rows
from ser_pipeline.errors import CorpusError

NAMES = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
SHEET = f"<worksheet {NAMES}><sheetData>{{}}</sheetData></worksheet>"
SHARED = f"<sst {NAMES}>{{}}</sst>"
FORMATS = (
    '<numFmt numFmtId="164" formatCode="[h]:mm:ss.000"/>'
    '<numFmt numFmtId="165" formatCode="0.0&quot; s&quot;"/>'
    '<numFmt numFmtId="166" formatCode="yyyy\\-mm\\-dd hh:mm"/>'
)
USED = "".join(f'<xf numFmtId="{number}"/>' for number in (0, 21, 164, 165, 166))
STYLES = (
    f"<styleSheet {NAMES}><numFmts>{FORMATS}</numFmts>"
    f'<cellStyleXfs><xf numFmtId="21"/></cellStyleXfs><cellXfs>{USED}</cellXfs></styleSheet>'
)


def workbook(path, sheet, shared=(), more=()):
    with zipfile.ZipFile(path, "w") as book:
        for number, each in enumerate((sheet, *more), 1):
            book.writestr(f"xl/worksheets/sheet{number}.xml", SHEET.format(each))
        if shared:
            book.writestr("xl/sharedStrings.xml", SHARED.format("".join(f"<si>{s}</si>" for s in shared)))
    return path


def test_cells_that_show_a_time_are_read_as_they_show_it(tmp_path):
    cells = "".join(f'<c s="{style}"><v>0.0034722222</v></c>' for style in range(5))
    path = workbook(
        tmp_path / "t.xlsx", f'<row><c t="inlineStr"><is><t>a</t></is></c></row><row>{cells}</row>'
    )
    with zipfile.ZipFile(path, "a") as book:
        book.writestr("xl/styles.xml", STYLES)
    plain = "0.0034722222"
    assert sheet_rows(path)[1][1] == [plain, "0:05:00.000", "0:05:00.000", plain, plain]


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


def test_a_workbook_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "text.xlsx").write_text("no zip")
    for path in (tmp_path / "text.xlsx", workbook(tmp_path / "cut.xlsx", "<row>")):
        with pytest.raises(CorpusError, match=r"cannot be read as a workbook of Excel .*; save it as CSV"):
            sheet_rows(path)
    with pytest.raises(CorpusError, match="holds no line"):
        read_any(workbook(tmp_path / "empty.xlsx", ""))


def test_rows_of_a_sheet_that_are_only_formatted_are_no_lines(tmp_path):
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'.format
    rows = f'<row r="1">{cell("path")}</row><row r="3"><c s="4"/></row><row r="5">{cell("x")}</row>'
    assert read_any(workbook(tmp_path / "t.xlsx", '<row><c s="4"/></row>', (), (rows,))) == [
        (5, {"path": "x"})
    ]


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
