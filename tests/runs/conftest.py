"""Runs as the report room makes them."""

from tests.report.conftest import fake, manifests, no_drawings, rows

__all__ = ["fake", "manifests", "no_drawings", "rows"]
