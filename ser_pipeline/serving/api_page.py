"""The page that lists the HTTP interface, made from its OpenAPI description; loads nothing from elsewhere."""

from typing import Any

from jinja2 import Environment, PackageLoader


def api_page(openapi: dict[str, Any]) -> str:
    """HTML of an OpenAPI description.

    Args:
        openapi: as ``/openapi.json`` gives it.
    """
    templates = Environment(
        loader=PackageLoader("ser_pipeline.serving"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return templates.get_template("api.html.j2").render(openapi=openapi)
