from ser_pipeline.report.document import (
    Code,
    Figure,
    Link,
    Panel,
    Report,
    Section,
    Strong,
    numbered,
    plain,
    text,
)
from ser_pipeline.tables import RowGroup, Table


def make_sections():
    table = Table("t", "caption", (), (RowGroup(()),))
    figure = Figure("f", "caption", (Panel("p", "alt", {}, ""),))
    return [Section("a", "A", (table, text("x"), figure)), Section("b", "B", (figure, table, table))]


def test_tables_and_figures_are_numbered_apart_across_sections():
    labels = [
        getattr(block, "title", None) for section in numbered(make_sections()) for block in section.blocks
    ]
    assert labels == ["Table 1", None, "Figure 1", "Figure 2", "Table 2", "Table 3"]


def test_report_yields_every_drawing():
    assert [panel.name for panel in Report("r", (), tuple(make_sections())).panels] == ["p", "p"]


def test_plain_words_lose_only_their_type():
    assert plain((Strong("a "), "b ", Code("c "), Link("d", "#d"))) == "a b c d"
