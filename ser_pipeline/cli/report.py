"""The command ``ser report``: one page from result files."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import CacheOption, ManifestsOption, next_step, one_line, out, plain_errors, say

RunsFolder = Annotated[Path, typer.Option("--runs-dir", help="Folder of the runs.")]
RunNames = Annotated[
    list[str] | None,
    typer.Option("--runs", help="Runs to show, by name; repeat it or separate by commas. All by default."),
]
OutOption = Annotated[Path, typer.Option("--out", help="Folder to write the report to.")]


def report(
    runs_dir: RunsFolder = Path("runs"),
    runs: RunNames = None,
    manifests: ManifestsOption = Path("manifests"),
    to: OutOption = Path("reports"),
    cache: CacheOption = Path("cache"),
    pdf: Annotated[bool, typer.Option("--pdf", help="Write each figure as PDF too.")] = False,
) -> None:
    """Write report.html, report.md, report.json and figures from manifest, runs and experiments.

    Needs no audio and no network; the page opens from disk. A run or split that cannot be read is
    named on the page, and the command ends with status 1; a run chosen by --runs must be readable.
    """
    with plain_errors("the old report is untouched; run the same command again"):
        from ser_pipeline.findings import findings_in
        from ser_pipeline.report import choose_runs, make_report

        names = [name.strip() for item in runs or () for name in item.split(",") if name.strip()]
        summary = make_report(
            manifests,
            choose_runs(runs_dir, names),
            to,
            cache=cache,
            experiments=findings_in(runs_dir),
            strict=bool(names),
            pdf=pdf,
        )
    unfinished = f", {len(summary.unfinished)} unfinished" if summary.unfinished else ""
    synthetic = "; contains synthetic recordings" if summary.synthetic else ""
    say(f"{summary.recordings} recordings, {summary.runs} runs{unfinished}{synthetic}")
    for line in summary.unread:
        say(one_line(line))
    out(str(summary.page))
    if summary.unread:
        raise typer.Exit(1)
    if not summary.runs:
        next_step("ser train crnn")
