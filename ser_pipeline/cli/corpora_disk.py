"""Corpora on the disk: ``ser corpora check``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_pipeline.cli.common import (
    DataOption,
    Format,
    FormatOption,
    JobsOption,
    counted,
    plain_errors,
    say,
    show_table,
)
from ser_pipeline.cli.corpora_known import DATA, known
from ser_pipeline.tables import cells

if TYPE_CHECKING:
    from ser_pipeline.acquire import Finding
    from ser_pipeline.corpora import Corpus

WhatArgument = Annotated[
    str,
    typer.Argument(
        metavar="[NAME|FOLDER]",
        help="Check this corpus below --data, or all corpora in this folder; by default all below --data.",
    ),
]


def check(
    what: WhatArgument = "",
    data: DataOption = DATA,
    jobs: JobsOption = 4,
    fmt: FormatOption = Format.table,
) -> None:
    """Check whether corpora are complete, and as they were published; the status is 1 if one is not."""
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


def _where(what: str, data: Path, corpora: "Mapping[str, Corpus]") -> tuple[tuple[str, ...], Path]:
    """Names to check, none for all, and the folder they are looked for in."""
    from ser_pipeline.errors import CorpusError
    from ser_pipeline.options.checks import nearest

    if what in corpora:
        return (what,), data
    if what and not Path(what).is_dir():
        raise CorpusError(
            f"{what!r} is no folder and no corpus{nearest(what.lower(), corpora)}; "
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
