"""The pages in ``docs/corpora`` say what the modules say."""

import re
from pathlib import Path

import pytest

from ser_pipeline.corpora import CORPORA

DOCS = Path(__file__).parents[2] / "docs" / "corpora"

every_corpus = pytest.mark.parametrize("name", CORPORA)


def flowing(page: str) -> str:
    return re.sub(r"\s+", " ", page)


@every_corpus
def test_every_corpus_has_a_page_with_the_facts_of_its_card(name):
    card = CORPORA[name].CARD
    page = flowing((DOCS / f"{name}.md").read_text(encoding="utf-8"))
    for fact in (f"(`{name}`)", card.layout, card.licence, card.source, f"{card.clips:,}"):
        assert fact in page
    for heading in ("## Layout", "## Metadata", "## Quirks", "**To obtain**"):
        assert heading in page


@every_corpus
def test_a_page_shows_every_code_beside_its_emotion(name):
    lines = (DOCS / f"{name}.md").read_text(encoding="utf-8").splitlines()
    codes = next(line for line in lines if line.startswith("| code |"))
    emotions = next(line for line in lines if line.startswith("| emotion |"))
    table = dict(zip(codes.strip("| ").split(" | ")[1:], emotions.strip("| ").split(" | ")[1:], strict=True))
    assert table == CORPORA[name].EMOTIONS


@every_corpus
def test_the_index_links_every_page(name):
    card = CORPORA[name].CARD
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    (line,) = [line for line in index.splitlines() if f"[`{name}`]({name}.md)" in line]
    for fact in (card.language, f"{card.clips:,}", str(card.speakers), card.licence):
        assert fact in line


def test_no_page_is_left_of_a_corpus_that_is_gone():
    assert {page.stem for page in DOCS.glob("*.md")} == {"index", "describe", "known", *CORPORA}
