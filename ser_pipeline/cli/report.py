"""The commands ``ser report`` and ``ser quickstart``."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from ser_pipeline.cli.common import (
    CacheOption,
    ManifestsOption,
    next_step,
    out,
    out_whole,
    plain_errors,
    say,
    show_table,
    tell_unread,
)
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import plural

RunsFolder = Annotated[Path, typer.Option("--runs-dir", help="Use the runs in this folder.")]
RunNames = Annotated[
    list[str] | None,
    typer.Option(
        "--runs",
        help="Show these runs, by name; repeat the flag or separate names by commas. All of them by default.",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", help="Write the report to this folder.")]


def report(
    runs_dir: RunsFolder = Path("runs"),
    runs: RunNames = None,
    manifests: ManifestsOption = Path("manifests"),
    to: OutOption = Path("reports"),
    cache: CacheOption = Path("cache"),
    png: Annotated[bool, typer.Option("--png", help="Write each figure as PNG as well.")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Write each figure as PDF as well.")] = False,
) -> None:
    """Write report.html, report.md, report.json and figures from manifest, runs and experiments.

    This needs no audio and no network connection, and the page opens from disk. A run or split that cannot be
    read is named on the page, and the command ends with status 1. A run chosen with --runs must be readable.
    """
    with plain_errors("the old report is untouched; run the same command again"):
        from ser_pipeline import api
        from ser_pipeline.runs.find import choose_runs

        names = [name.strip() for item in runs or () for name in item.split(",") if name.strip()]
        tell_unread(runs_dir, *choose_runs(runs_dir, names))  # of all runs, the summary names them
        summary = api.make_report(
            names, manifests=manifests, cache=cache, runs=runs_dir, out=to, png=png, pdf=pdf
        )
    unfinished = f", {len(summary.unfinished)} unfinished" if summary.unfinished else ""
    synthetic = "; contains synthetic recordings" if summary.synthetic else ""
    held = f"{plural(summary.recordings, 'recording')}, {plural(summary.runs, 'run')}"
    say(f"{held}{unfinished}{synthetic}")
    for line in summary.unread:
        say(one_line(line))
    out_whole(str(summary.page))
    if summary.unread:
        raise typer.Exit(1)
    if not summary.runs:
        next_step("ser train crnn", manifests=manifests, cache=cache, runs=runs_dir)


BUDGETS: Final = (
    ("no download", "ser cache features", "0.62"),
    ("a laptop and 290 MB", "ser cache embeddings --encoder whisper-base --download", "0.83"),
    ("a GPU and 3.1 GB", "ser cache embeddings --encoder whisper-large-v3 --download", "not measured"),
)
"""Budget, command, and UAR of four emotions on 24 people who are new to the model (docs/results.md)."""


def quickstart(
    folder: Annotated[
        Path, typer.Argument(help="Work in this folder; it is made if it does not exist.")
    ] = Path("demo"),
    seed: Annotated[
        int, typer.Option(min=0, help="Draw the synthetic voices and the training from this seed.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Train at most this many epochs.")] = 12,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Use this many worker processes.")
    ] = None,
    size: Annotated[
        str, typer.Option(help="Make synthetic corpora of this size: small or medium.")
    ] = "medium",
) -> None:
    """Run synth, manifest, split, cache, train, evaluate and report on synthetic corpora."""
    workers = str(jobs or min(os.cpu_count() or 1, 8))
    places = {name: str(folder / name) for name in ("DataSets", "manifests", "cache", "runs", "reports")}
    data, manifests, store, runs, reports = places.values()
    kept = ["--manifests", manifests]
    steps = [
        ["corpora", "synth", data, "--seed", str(seed), "--size", size, "--jobs", workers],
        ["manifest", "build", "--data", data, "--out", manifests, "--jobs", workers],
        ["manifest", "split", "speaker", *kept],
        ["cache", "mels", "--data", data, *kept, "--cache", store, "--jobs", workers],
        [
            "train",
            "crnn",
            *kept,
            "--cache",
            store,
            "--runs",
            runs,
            "--epochs",
            str(epochs),
            "--seed",
            str(seed),
        ],
        ["evaluate", *kept, "--cache", store, "--runs", runs],
        ["report", *kept, "--cache", store, "--runs-dir", runs, "--out", reports],
    ]
    with plain_errors():
        for number, step in enumerate(steps, 1):
            say(f"[{number}/{len(steps)}] ser {' '.join(step)}")
            _run(step)
    out(f"page: {folder / 'reports' / 'report.html'} (synthetic voices: it shows only that all steps work)")
    show_table(
        "which approach for which budget, on real recordings",
        ("budget", "cache", "UAR on new speakers"),
        BUDGETS,
    )
    say("once the features are cached, 'ser train' chooses the best model for them")
    next_step("ser manifest build --data <folder of your corpora>")


def _run(step: list[str]) -> None:
    from ser_pipeline.cli import app

    status = app(args=step, standalone_mode=False)
    if status:
        raise typer.Exit(int(status))
