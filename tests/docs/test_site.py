"""The documentation as a site: built whole, with no link to nowhere, and nothing loaded from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import ser_pipeline

ROOT = Path(__file__).parents[2]


def built(folder, *, config=ROOT / "mkdocs.yml"):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", folder],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )


class Loads(HTMLParser):
    """Addresses of all that a browser fetches to show a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "link" and given.get("rel") in (
            "stylesheet",
            "icon",
            "preconnect",
            "preload",
            "dns-prefetch",
        ):
            self.found.append(given["href"])
        elif tag != "a" and given.get("src"):
            self.found.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = built(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site):
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert {path.relative_to(site) for path in site.rglob("*.html")} == {
        *pages,
        Path("index.html"),
        Path("404.html"),
    }


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        reader = Loads()
        reader.feed(page.read_text(encoding="utf-8"))
        assert reader.found, page
        assert not [address for address in reader.found if re.match(r"(\w+:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_the_reference_has_every_function_that_is_offered(site):
    page = (site / "python.html").read_text(encoding="utf-8")
    for name in ser_pipeline.__all__:
        if name != "__version__":
            assert f'id="ser_pipeline.{name}"' in page, name
    assert ":class:" not in page


def test_a_dead_link_a_missing_anchor_and_a_page_without_a_place_are_refused(tmp_path):
    pytest.importorskip("mkdocs")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    strict = settings[settings.index("validation:") : settings.index("\nnav:")]
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\n{strict}\nnav: [index.md]\n")
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# A\n\n[b](#a)\n")
    assert built(tmp_path / "out", config=tmp_path / "mkdocs.yml").returncode == 0
    (docs / "index.md").write_text("# A\n\n[b](#b) [c](c.md)\n")
    (docs / "alone.md").write_text("# Alone\n")
    refused = built(tmp_path / "out", config=tmp_path / "mkdocs.yml")
    assert refused.returncode == 1
    for reason in ("alone.md", "contains a link 'c.md'", "contains a link '#b'"):
        assert reason in refused.stderr
