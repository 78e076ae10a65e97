"""Write a report down: one HTML page, Markdown, or JSON with numbers as numbers."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ser_pipeline.report.document import (
    Answer,
    Block,
    Bullets,
    Callout,
    Code,
    Facts,
    Figure,
    Fold,
    Report,
    Section,
    Shown,
    Strong,
    Text,
    Words,
    plain,
)
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.read import Run, Unfinished
from ser_pipeline.tables import Table, html_table, json_table, markdown_table
from ser_pipeline.tables.render import escaped, marked


def html_page(report: Report) -> str:
    """Write the page: styles, script and drawings are inside, everything else is escaped.

    The page's own policy forbids every load and every script but the page's own,
    which is named by its hash.
    """
    environment = Environment(
        loader=PackageLoader("ser_pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # a drawing is matplotlib's own XML, parsed and written again: the one thing not to escape
    environment.filters["drawing"] = Markup
    environment.filters["table"] = lambda table: Markup(html_table(table))
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}"
    environment.filters["kind"] = lambda block: type(block).__name__
    script = _template("page.js")
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup(_template("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _template(name: str) -> str:
    return (files("ser_pipeline.report") / "templates" / name).read_text(encoding="utf-8")


_SPACE = re.compile(r"\s+")


def markdown_text(report: Report) -> str:
    """Write the report in GitHub's Markdown."""
    lines = [f"# {escaped(report.title)}", ""]
    if report.banner:
        lines += [f"> **{escaped(report.banner)}**", ""]
    for block in report.opening:
        lines += _markdown_block(block)
    for section in report.sections:
        lines += [f"{'#' * section.level} {escaped(section.title)}{marked(section.marks)}", ""]
        for block in section.blocks:
            lines += _markdown_block(block)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_block(block: Block) -> list[str]:
    match block:
        case Text(words):
            return [_words(words), ""]
        case Callout(tone, words):
            return [f"> **{tone.capitalize()}:** {_words(words)}", ""]
        case Bullets(items):
            return [*(f"- {_words(item)}" for item in items), ""]
        case Facts(items):
            return [*(f"- **{escaped(name)}:** {_words(words)}" for name, words in items), ""]
        case Answer():
            return [f"> {_words(block.words)}", ""]
        case Fold():
            return []
        case Figure():
            return _markdown_figure(block)
        case Table():
            return markdown_table(block)


def _words(words: Sequence[Words]) -> str:
    return "".join(_word(word) for word in words)


def _word(word: Words) -> str:
    match word:
        case Code(text):
            return _code(text)
        case Strong(text):
            return f"**{escaped(text)}**"
        case str():
            return escaped(word)
        case _:
            return escaped(word.text)


def _code(text: str) -> str:
    """Fence code with more backticks than it holds."""
    one_line = _SPACE.sub(" ", text)
    longest = max((len(run) for run in re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {one_line} {fence}" if longest else f"`{one_line}`"


def _markdown_figure(figure: Figure) -> list[str]:
    drawings = [f"![{escaped(panel.alt)}](figures/{panel.name}.svg)" for panel in figure.panels]
    return [*drawings, "", f"*{figure.title}: {escaped(figure.caption)}.*{marked(figure.marks)}", ""]


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
        "opening": _json_blocks(report.opening),
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
        "blocks": _json_blocks(section.blocks),
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


def _json_blocks(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    return [_json_block(block) for block in blocks if not isinstance(block, Fold)]


def _json_block(block: Shown) -> dict[str, Any]:
    match block:
        case Text(words):
            return {"type": "text", "text": plain(words)}
        case Callout(tone, words):
            return {"type": tone, "text": plain(words)}
        case Bullets(items):
            return {"type": "list", "items": [plain(item) for item in items]}
        case Facts(items):
            return {"type": "facts", "items": {name: plain(words) for name, words in items}}
        case Answer(score, chance, title, words):
            told = {"value": score.value, "low": score.low, "high": score.high, "chance": chance}
            return {"type": "answer", "title": title, "text": plain(words), **told}
        case Figure():
            return _json_figure(block)
        case Table():
            return json_table(block)


def _json_figure(figure: Figure) -> dict[str, Any]:
    return {
        "type": "figure",
        "key": figure.key,
        "label": figure.title,
        "caption": figure.caption,
        "marks": list(figure.marks),
        "panels": [
            {"alt": panel.alt, "files": [f"figures/{panel.name}.{suffix}" for suffix in panel.files]}
            for panel in figure.panels
        ],
    }
