"""Render a report as JSON: the same blocks, with numbers as numbers."""

import json
import math
from collections.abc import Sequence
from typing import Any

from ser_pipeline.report.document import (
    Block,
    Bullets,
    Callout,
    Cell,
    Facts,
    Figure,
    Report,
    Section,
    Table,
    Text,
    plain,
)
from ser_pipeline.report.runs import Run, Unfinished
from ser_pipeline.report.unread import Unread

SCHEMA_VERSION = 1


def json_text(
    report: Report,
    runs: Sequence[Run],
    unfinished: Sequence[Unfinished],
    unread: Sequence[Unread] = (),
) -> str:
    """Write the report for programs: its blocks, and every run's settings and scores in full.

    Scores and shares are in [0, 1]; a number that does not exist is null.
    """
    whole = {
        "schema_version": SCHEMA_VERSION,
        "title": report.title,
        "banner": report.banner or None,
        "opening": [_block(block) for block in report.opening],
        "sections": [_section(section) for section in report.sections],
        "runs": [
            {
                "tag": run.tag,
                "name": run.info.name,
                "settings": run.info.model_dump(mode="json"),
                "scores": run.scores.model_dump(mode="json"),
            }
            for run in runs
        ],
        "unfinished": [run.name for run in unfinished],
        "unread": [{"kind": entry.kind, "name": entry.name, "reason": entry.reason} for entry in unread],
    }
    return json.dumps(_finite(whole), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "level": section.level,
        "marks": list(section.marks),
        "blocks": [_block(block) for block in section.blocks],
    }


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_finite(inner) for inner in value]
        case _:
            return value


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Text(words):
            return {"type": "text", "text": plain(words)}
        case Callout(tone, words):
            return {"type": tone, "text": plain(words)}
        case Bullets(items):
            return {"type": "list", "items": [plain(item) for item in items]}
        case Facts(items):
            return {"type": "facts", "items": {name: plain(words) for name, words in items}}
        case Figure():
            return _figure(block)
        case Table():
            return _table(block)


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "type": "figure",
        "key": figure.key,
        "label": figure.label,
        "caption": figure.caption,
        "marks": list(figure.marks),
        "panels": [
            {"alt": panel.alt, "files": [f"figures/{panel.name}.{suffix}" for suffix in panel.suffixes]}
            for panel in figure.panels
        ],
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "type": "table",
        "key": table.key,
        "label": table.label,
        "caption": table.caption,
        "marks": list(table.marks),
        "columns": [column.title for column in table.columns],
        "groups": [
            {
                "title": group.title,
                "note": group.note,
                "marks": list(group.marks),
                "rows": [
                    {
                        "cells": [_cell(cell) for cell in row.cells],
                        "marks": list(row.marks),
                        "total": row.total,
                    }
                    for row in group.rows
                ],
            }
            for group in table.groups
        ],
        "notes": list(table.notes),
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {"value": cell.value, "text": cell.text} | ({"note": cell.note} if cell.note else {})
