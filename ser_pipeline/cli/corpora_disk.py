"""Corpora on the disk: ``ser corpora check`` and ``ser corpora download``."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ser_pipeline.cli.common import (
    DataOption,
    Format,
    FormatOption,
    JobsOption,
    counted,
    next_step,
    out,
    plain_errors,
    progress,
    say,
    show_table,
)
from ser_pipeline.cli.corpora_known import DATA, chosen, found_below, known
from ser_pipeline.tables import cells

if TYPE_CHECKING:
    from ser_pipeline.acquire import Finding
    from ser_pipeline.acquire.fetch import OnBytes
    from ser_pipeline.corpora import Corpus
    from ser_pipeline.records import CorpusCard

MEGABYTE: Final = 1_000_000

NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME", help="Download these corpora.")]
WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME|FOLDER",
        help="Check this corpus below --data, or all corpora in this folder; by default all below --data.",
    ),
]


def check(
    what: WhatArgument = "",
    data: DataOption = DATA,
    jobs: JobsOption = 4,
    fmt: FormatOption = Format.table,
) -> None:
    """Check whether corpora are complete and as they were published; exit with status 1 if one is not."""
    with plain_errors():
        from ser_pipeline.acquire import check_corpora
        from ser_pipeline.errors import CorpusError

        corpora = known()
        names, folder = _where(what, data, corpora)
        with counted("reading") as on_progress:
            findings = check_corpora(folder, corpora, names, jobs=jobs, on_progress=on_progress)
        if not findings:
            raise CorpusError(
                f"{folder}: contains no recording of {what}; 'ser corpora show {what}' says where to get it"
                if names
                else f"{folder}: contains no recording of a known corpus; 'ser corpora init {folder}' "
                "describes a new one"
            )
        _show_findings(folder, findings, fmt)
        faulty = {each.corpus: None for each in findings if each.is_fault}
        for corpus in faulty:
            kinds = dict.fromkeys(each.kind for each in findings if each.corpus == corpus and each.is_fault)
            say(f"{corpus}: {', '.join(kinds)}")
        if faulty:
            raise typer.Exit(1)


def download(
    names: NamesArgument,
    data: DataOption = DATA,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licences of these corpora, once for --data.")
    ] = False,
) -> None:
    """Download corpora into --data; of those that cannot be downloaded, say how to obtain them."""
    with plain_errors("run the same command again to continue; what was downloaded is kept"):
        from ser_pipeline.acquire import download as downloads
        from ser_pipeline.acquire import state_of
        from ser_pipeline.errors import CorpusError

        corpora = known()
        cards = []
        for name in dict.fromkeys(names):
            card = chosen(name, corpora).CARD
            holding = found_below(data, {name: corpora[name]}).get(name) if data.exists() else None
            if state_of(card, holding) == "complete" and holding is not None:
                out(f"{name}: complete in {data / holding.folder}")
            elif not card.downloads:
                raise CorpusError(downloads.by_hand(card, data))
            else:
                cards.append(card)
        for card in cards:
            say(f"{card.name}: {card.title}; licence: {card.licence}; {card.source}")
            if accept_licence:
                downloads.accept(card, data)
        for card in cards:
            wanted = sum(item.size for item in downloads.left(card, data))
            with _megabytes(card.name, wanted) as on_bytes:
                count = downloads.download(card, data, on_bytes=on_bytes)
            out(f"{data / card.name}: {cells.plural(count, 'file') if wanted else _nothing_new(card, data)}")
        if cards:
            next_step(f"ser corpora check {cards[0].name}", data=data)


def _nothing_new(card: "CorpusCard", data: Path) -> str:
    from ser_pipeline.acquire.download import WORK

    folder = data / card.name / WORK
    return f"nothing new, since all files were downloaded before; delete {folder} to download them again"


@contextmanager
def _megabytes(name: str, size: int) -> "Iterator[OnBytes]":
    """Show how far a download is, in whole megabytes."""
    came = shown = 0
    with progress(f"downloading {name}", -(-size // MEGABYTE), "MB") as advance:

        def on_bytes(count: int) -> None:
            nonlocal came, shown
            came += count
            now = came // MEGABYTE
            if now != shown:
                advance(now - shown)
                shown = now

        yield on_bytes


def _where(what: str, data: Path, corpora: "Mapping[str, Corpus]") -> tuple[tuple[str, ...], Path]:
    """Names to check, none for all, and the folder they are looked for in."""
    from ser_pipeline.errors import CorpusError
    from ser_pipeline.options.checks import nearest

    if what in corpora:
        return (what,), data
    if what and not Path(what).is_dir():
        raise CorpusError(
            f"{what!r} is neither a folder nor a corpus{nearest(what.lower(), corpora)}; "
            "pass a folder of recordings or a name of 'ser corpora list'"
        )
    return (), Path(what) if what else data


def _show_findings(folder: Path, findings: "Sequence[Finding]", fmt: Format) -> None:
    columns = ["corpus", "finding", "clips", "what"]
    rows = [(each.corpus, each.kind, cells.count(each.clips), each.text) for each in findings]
    if fmt is Format.table:
        show_table(f"Corpora in {folder}", columns, rows)
    else:
        examples = [each.example for each in findings]
        full = [(*row, example) for row, example in zip(rows, examples, strict=True)]
        show_table(f"Corpora in {folder}", [*columns, "example"], full, fmt)
