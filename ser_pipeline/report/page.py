"""Render a report as one HTML page that needs nothing but itself."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ser_pipeline.report.document import Report


def html_page(report: Report) -> str:
    """Write the page: styles, script and drawings are inside, everything else is escaped.

    The page's own policy forbids every load and every script but the one that sorts tables,
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
    environment.filters["kind"] = lambda block: type(block).__name__
    script = _template("sort.js")
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup(_template("page.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _template(name: str) -> str:
    return (files("ser_pipeline.report") / "templates" / name).read_text(encoding="utf-8")
