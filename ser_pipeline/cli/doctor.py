"""The command ``ser manifest doctor``."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import (
    Format,
    FormatOption,
    JobsOption,
    ManifestsOption,
    counted,
    plain_errors,
    put_table,
    say,
    show_table,
)


def doctor(
    manifests: ManifestsOption = Path("manifests"),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Read the recordings in this folder; by default the one the manifest was built from.",
        ),
    ] = None,
    jobs: JobsOption = 1,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Leave out this kind of finding; can be given more than once.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Show every recording, speaker, text and emotion with a finding.")
    ] = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Examine recordings and labels for what endangers results; status 1 if scores can be wrong.

    Only recordings that are new since the last time are read.
    """
    with plain_errors():
        from ser_pipeline.manifest.doctor import diagnosis_table
        from ser_pipeline.manifest.examine import examine

        with counted("examining") as on_progress:
            found = examine(manifests, data=data, jobs=jobs, on_progress=on_progress)
        ignored = tuple(ignore or ())
        diagnosis = found.diagnosis.without(ignored)
        if full:
            cases = [case for case in found.cases if case.kind not in ignored]
            rows = [(case.kind, case.corpus, case.subject, case.detail) for case in cases]
            show_table("findings", ("finding", "corpus", "case", "measured"), rows, fmt)
        elif diagnosis.findings or fmt is not Format.table:
            put_table(diagnosis_table(diagnosis), fmt)
        if not diagnosis.findings:
            say("nothing was found")
    if diagnosis.dangers:
        kinds = ", ".join(dict.fromkeys(finding.kind for finding in diagnosis.dangers))
        say(f"these findings can make scores wrong: {kinds}; 'ser manifest doctor --full' lists them")
        raise typer.Exit(1)
