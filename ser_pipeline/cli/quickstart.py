"""The command ``ser quickstart``: the whole chain on synthetic corpora."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import next_step, out, plain_errors, say


def quickstart(
    folder: Annotated[Path, typer.Argument(help="Folder to work in; made where it is missing.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic voices and the training.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Train at most this many epochs.")] = 12,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Worker processes.")] = None,
    size: Annotated[str, typer.Option(help="Size of the synthetic corpora: small or medium.")] = "medium",
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
    out(
        f"page: {folder / 'reports' / 'report.html'} "
        "(synthetic voices: it shows that the chain works, no more)"
    )
    next_step("ser manifest build --data <folder of your corpora>")


def _run(step: list[str]) -> None:
    from ser_pipeline.cli import app

    status = app(args=step, standalone_mode=False)
    if status:
        raise typer.Exit(int(status))
