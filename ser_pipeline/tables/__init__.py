"""One table for all that is shown in rows: on a screen, on a page, in Markdown, JSON and CSV.

A table is made of entries, each with a text for people and a value for machines
(:mod:`ser_pipeline.tables.cells` writes numbers), and every way to show it reads the same entries.
"""

from ser_pipeline.tables.render import csv_text, html_table, json_table, markdown_table, records
from ser_pipeline.tables.table import NO_BREAK, Column, Entry, Row, RowGroup, Table, entry, one_line, table_of
from ser_pipeline.tables.terminal import ELLIPSIS, print_table, prose, shortened, terminal_lines

__all__ = [
    "ELLIPSIS",
    "NO_BREAK",
    "Column",
    "Entry",
    "Row",
    "RowGroup",
    "Table",
    "csv_text",
    "entry",
    "html_table",
    "json_table",
    "markdown_table",
    "one_line",
    "print_table",
    "prose",
    "records",
    "shortened",
    "table_of",
    "terminal_lines",
]
