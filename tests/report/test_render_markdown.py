from types import SimpleNamespace

import pytest
from markdown_it import MarkdownIt

from ser_pipeline.report.document import (
    Answer,
    Bullets,
    Callout,
    Code,
    Facts,
    Figure,
    Fold,
    Link,
    Panel,
    Report,
    Section,
    Strong,
    text,
)
from ser_pipeline.report.render import markdown_text
from ser_pipeline.tables import Column, Entry, Row, RowGroup, Table
from ser_pipeline.tables.render import escaped

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b",
    "`code`",
    "[x](javascript:alert(1))",
    "![x](http://e.example/x.png)",
    "*a* _b_ __c__",
    "# no heading",
    "1. no list",
    "- no list",
    "2) no list",
    "-5",
    "---",
    "0.5",
    "#tag",
    "&lt;",
    "back\\slash",
    "~~struck~~",
]


def as_html(markdown):
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_shown_as_it_is(name):
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(escaped(name))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert "".join(child.content for child in tokens[1].children) == name
    assert {child.type for child in tokens[1].children} <= {"text", "text_special"}


@pytest.mark.parametrize("code", ["a `b` c", "``", "plain"])
def test_code_survives_backticks(code):
    report = Report("r", (text(Code(code)),), ())
    (inline,) = [t for t in MarkdownIt().parse(markdown_text(report)) if t.type == "inline"][1:]
    assert [child.content for child in inline.children if child.type == "code_inline"] == [code]


@pytest.mark.parametrize("name", ["0.5", "2026-01-02", "crnn_4class-speaker", "=", "#7", "-5", "3.1 s"])
def test_harmless_text_is_left_alone(name):
    assert escaped(name) == name


def test_lines_never_break_a_table():
    assert escaped("a\n| b\r\n") == "a \\| b "


def make_report():
    table = Table(
        "t",
        "Numbers",
        (Column("Name", numeric=False), Column("UAR, %")),
        (
            RowGroup(
                (Row((Entry("a|b"), Entry("50.0", 0.5, note="40-60", strong=True)), marks=("claimed",)),),
                "G",
                "why",
            ),
        ),
        ("a note",),
        title="Table 1",
    )
    figure = Figure("f", "Lines", (Panel("lines", "up", {}, ""),), ("synthetic",), "Figure 1")
    score = SimpleNamespace(value=0.5, low=None, high=None)
    blocks = (
        Answer(score, 0.25, "UAR", ("Half ", Link("R1", "run-r1"))),
        Fold("More"),
        text("See ", Link("R1", "run-r1"), Strong("now")),
        Callout("warning", ("careful",)),
        Bullets((("one",), ("two",))),
        text("between"),
        Facts((("Seed", ("7",)),)),
        table,
        figure,
    )
    return Report(
        "Title", (text("opening"),), (Section("s", "Part", blocks, 2, ("synthetic",)),), "all synthetic"
    )


def test_every_kind_of_block_is_markdown():
    html = as_html(markdown_text(make_report()))
    for piece in (
        "<h1>Title</h1>",
        "<strong>all synthetic</strong>",
        "<h2>Part <strong>[synthetic]</strong></h2>",
        "<p>See R1<strong>now</strong></p>",
        "<p>Half R1</p>",
        "<strong>Warning:</strong> careful",
        "<li>one</li>",
        "<strong>Seed:</strong> 7",
        '<th style="text-align:right">UAR, %</th>',
        "a|b <strong>[claimed]</strong>",
        "<strong>50.0</strong> (40-60)",
        '<img src="figures/lines.svg" alt="up"',
        "<em>Figure 1: Lines.</em> <strong>[synthetic]</strong>",
        "<p>G: why</p>",
    ):
        assert piece in html


def test_columns_line_up_in_the_source():
    lines = [line for line in markdown_text(make_report()).splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines if not line.startswith("| **G**")}) == 1
