"""The commands ``ser report`` and ``ser quickstart``."""

import os
import shlex
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ser_pipeline.cli.common import (
    BuiltFromOption,
    CacheOption,
    ManifestsOption,
    counted,
    next_step,
    out,
    out_whole,
    plain_errors,
    progress,
    say,
    say_command,
    show_table,
    tell_unread,
)
from ser_pipeline.cli.flags import names_in
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
    audio: Annotated[
        bool,
        typer.Option(
            "--audio",
            help="Put the first seconds of the most confident mistakes on the page. They fall under the "
            "licences of their corpora.",
        ),
    ] = False,
    data: BuiltFromOption = None,
) -> None:
    """Write report.html, report.md, report.json and figures from manifest, runs and experiments.

    This needs no network connection, and recordings only for --audio; the page opens from disk. A run or
    split that cannot be read is named on the page, and the command ends with status 1. A run chosen with
    --runs must be readable.
    """
    with plain_errors("the old report is untouched; run the same command again"):
        from ser_pipeline import api
        from ser_pipeline.runs.find import choose_runs

        names = names_in(runs or ())
        tell_unread(runs_dir, *choose_runs(runs_dir, names))  # of all runs, the summary names them
        summary = api.make_report(
            names,
            manifests=manifests,
            cache=cache,
            runs=runs_dir,
            out=to,
            png=png,
            pdf=pdf,
            audio=audio,
            data=data,
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
        next_step("ser train", manifests=manifests, cache=cache, runs=runs_dir)


BUDGETS: Final = (
    ("no download", "ser cache features", "0.62"),
    ("a laptop and 290 MB", "ser cache embeddings --encoder whisper-base --download", "0.83"),
    ("a GPU and 3.1 GB", "ser cache embeddings --encoder whisper-large-v3 --download", "not measured"),
)
"""Budget, command, and UAR of four emotions on 24 people who are new to the model (docs/results.md)."""


def quickstart(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Work in this folder; it is made if it does not exist.")
    ] = Path("demo"),
    seed: Annotated[
        int, typer.Option(min=0, help="Draw the synthetic voices and the training from this seed.")
    ] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Train at most this many epochs.")] = 12,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Use up to this many worker processes.")
    ] = None,
    size: Annotated[
        str, typer.Option(help="Make synthetic corpora of this size: small or medium.")
    ] = "medium",
) -> None:
    """Run the whole chain on synthetic corpora: recordings, manifest, splits, store, training, report."""
    from ser_pipeline import api, synth
    from ser_pipeline.cli.epochs import epoch_display
    from ser_pipeline.cli.evaluate import show_scores

    workers = jobs or min(os.cpu_count() or 1, 8)
    data, manifests, store = folder / "DataSets", folder / "manifests", folder / "cache"
    runs, reports = folder / "runs", folder / "reports"
    places: dict[str, Any] = {"manifests": manifests, "cache": store, "runs": runs}
    with plain_errors("run the same command again to continue; what is finished is kept"):
        _step(1, f"ser corpora synth {shlex.quote(str(data))} --seed {seed} --size {size}")
        clips = sum(map(len, synth.plan(size).values()))
        with progress("speaking", clips) as advance:
            spoken = synth.synth(data, seed=seed, size=size, jobs=workers, on_progress=advance)
        made = f"{plural(spoken.total, 'recording')} of {plural(spoken.speakers, 'synthetic voice')}"
        out(f"{made}, as in {plural(len(spoken.clips), 'corpus', 'corpora')}")
        _step(2, "ser manifest build", data=data, manifests=manifests)
        with counted("reading") as on_progress:
            built = api.build_manifest(data, manifests, jobs=workers, on_progress=on_progress)
        out(f"{built.held}, {built.rejects} rejected; whole speakers are split 60/20/20")
        _step(3, "ser cache mels", manifests=manifests, cache=store)
        with counted("mels") as on_progress:
            stored = api.build_store(
                "mels", manifests=manifests, cache=store, settings=None, jobs=workers, on_progress=on_progress
            )
        out(f"mel spectrograms of {plural(stored.present + stored.computed, 'recording')} in {stored.folder}")
        _step(4, f"ser train crnn --epochs {epochs} --seed {seed}", **places)
        with epoch_display(1) as watcher:
            run = api.train(
                "crnn", settings=None, watcher=watcher, train={"epochs": epochs, "seed": seed}, **places
            )
        show_scores(run.info, run.scores)
        _step(
            5, "ser report", manifests=manifests, cache=store, runs_dir=places["runs"], out=folder / "reports"
        )
        page = api.make_report(run, out=reports, **places).page
    out_whole(f"page: {page}")
    out("It shows only that all steps work: scores on synthetic voices tell you nothing about real speech.")
    show_table(
        "which approach for which budget, on real recordings",
        ("budget", "cache", "UAR on new speakers"),
        BUDGETS,
    )
    say("with corpora of your own in DataSets, begin with 'ser manifest build'")
    next_step(f"ser predict {shlex.quote(str(data / 'TESS'))} --model {shlex.quote(str(run.folder))}")


STEPS: Final = 5


def _step(number: int, command: str, **places: Path) -> None:
    """Say which command would do what is done now."""
    say_command(f"[{number}/{STEPS}] ", command, **places)
