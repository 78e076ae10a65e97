"""Gives the site its first page, which is the README of the repository, and docstrings their look."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the README, whose links begin at the root of the repository."""
    text = Path(config.config_file_path).with_name("README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=text.replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Lead links to the README to the first page."""
    return markdown.replace("../README.md", "index.md")


def on_page_content(html: str, **_: object) -> str:
    """Show names that docstrings refer to in the way of Sphinx, such as ``:class:`~errors.SerError```."""
    html = re.sub(r":(?:attr|class|data|func|meth|mod):<code>~(?:\w+\.)*", "<code>", html)
    return re.sub(r":(?:attr|class|data|func|meth|mod):<code>", "<code>", html)
