"""The page ``docs/corpora/known.md``, written from the shipped descriptions. ``make docs`` prints it."""

import sys
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from ser_pipeline.corpora import CORPORA, described
from ser_pipeline.corpora.description import Description
from ser_pipeline.labels import OTHER

HEAD: Final = """\
# Further corpora

Besides the [eight corpora](index.md) that have pages of their own, these come with a [description](describe.md).
Keep the recordings in a folder named after the corpus or its unpacked archive; only corpora marked + are recognised
by file names alone. `ser corpora show ID` shows all that is known of one, with its codes.

This page is written from the descriptions themselves (`make docs`).

**How they were verified.** Of the eight, RAVDESS, its songs, EMO-DB and nEMO were tried on real
recordings of three to ten speakers each, CREMA-D and TESS on a few recordings, SAVEE on its complete
list of names, and IEMOCAP on its published layout alone. The last column says the same of the corpora below:
*rule* means that a description was written from the published naming rule, or from other programs
that read the corpus, and tested on names made from that rule; *files* means that it has been tried on
real recordings as well. If a description does not fit your copy, its recordings are rejects that say
why. A [description of your own](describe.md) with the same name takes its place.

What nobody publishes, or what could not be established, is left empty. Emotions are those of the [shared
vocabulary](../manifest.md#emotions); the others of a corpus are read as `other`, which no task uses.

"""

COLUMNS: Final = (
    "id", "corpus", "language", "clips", "speakers", "emotions", "licence", "access", "source", "verified",
)  # fmt: skip

REMARKS: Final = "\n## Remarks\n\n"


def known_page() -> str:
    """The page, as Markdown."""
    told = [each.description for name, each in described().items() if name not in CORPORA]
    rows = [COLUMNS, ["---"] * len(COLUMNS), *([*_cells(each)] for each in told)]
    table = "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in rows)
    remarks = "".join(f"- **{each.title}**: {each.notes}\n" for each in told if each.notes)
    return HEAD + table + REMARKS + remarks


def _cells(told: Description) -> Iterator[str]:
    yield f"`{told.name}`{' +' if told.anywhere else ''}"
    yield f"[{told.title}]({told.obtain})" if told.obtain else told.title
    yield told.language
    yield f"{told.clips:,}" if told.clips else ""
    yield f"{told.speakers:,}" if told.speakers else ""
    yield _emotions(told)
    yield told.licence
    yield told.access
    yield _source(told.source)
    yield told.verified


def _emotions(told: Description) -> str:
    found = set(told.codes.get("emotion", {}).values())
    return f"{len(found - {OTHER})}{' and `other`' if OTHER in found else ''}"


def _source(source: str) -> str:
    if source.startswith("doi:"):
        return f"[{source}](https://doi.org/{source.removeprefix('doi:')})"
    return f"[{urlsplit(source).netloc}]({source})"


if __name__ == "__main__":
    sys.stdout.write(known_page())
