"""Commands of ``ser corpora``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import JobsOption, next_step, out, plain_errors, progress
from ser_pipeline.cli.corpora_disk import check, download
from ser_pipeline.cli.corpora_known import list_corpora, show
from ser_pipeline.cli.describe import add, init
from ser_pipeline.tables.cells import plural

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, check, download and describe corpora, or make synthetic ones to try.",
)
app.command("list")(list_corpora)
app.command()(show)
app.command()(check)
app.command()(download)
app.command()(init)
app.command()(add)


class SynthSize(StrEnum):
    """How much ``ser corpora synth`` makes."""

    small = "small"
    medium = "medium"


@app.command()
def synth(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Write to this folder, which must be new or empty.")
    ],
    seed: Annotated[int, typer.Option(help="Draw voices and clips from this seed.")] = 0,
    size: Annotated[SynthSize, typer.Option(help="Make corpora of this size.")] = SynthSize.medium,
    clips_per_class: Annotated[
        int | None,
        typer.Option(
            help="Make this many clips of each class and speaker, 1 to 8; the default depends on the size."
        ),
    ] = None,
    corpora: Annotated[
        str, typer.Option(help="Make only these corpora: ids separated by commas; all of them by default.")
    ] = "",
    jobs: JobsOption = 1,
) -> None:
    """Write small synthetic corpora in the official layouts, spoken by a synthetic voice."""
    from ser_pipeline import synth as synthesis

    with plain_errors():
        chosen = [name.strip() for name in corpora.split(",") if name.strip()]
        clips = synthesis.plan(size.value, clips_per_class, chosen)
        with progress("synthesise", sum(map(len, clips.values())), "clips") as advance:
            summary = synthesis.synth(
                folder, seed=seed, size=size.value, clips_per_class=clips_per_class,
                corpora=chosen, jobs=jobs, on_progress=advance,
            )  # fmt: skip
        kept = f"; {', '.join(summary.kept)} already present" if summary.kept else ""
        out(
            f"{folder}: {plural(summary.total, 'synthetic recording')} in "
            f"{plural(len(summary.clips), 'corpus', 'corpora')}, {plural(summary.speakers, 'voice')}{kept}"
        )
        next_step("ser manifest build", data=folder)
