"""The command ``ser evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import (
    CacheOption,
    Format,
    FormatOption,
    ManifestsOption,
    RunsOption,
    next_step,
    plain_errors,
    say,
)
from ser_pipeline.cli.scores import show_part, show_parts


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="Folder or name of a run; else the newest.")] = None,
    part: Annotated[str, typer.Option(help="Part to show: train, validation or test.")] = "test",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one process.")] = None,
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Score a run anew from its network and the store, and show every score of one part."""
    from ser_pipeline.errors import SettingsError
    from ser_pipeline.evaluation.latency import keep_latency
    from ser_pipeline.evaluation.run import evaluate_run
    from ser_pipeline.records import PARTS
    from ser_pipeline.results import RunInfo, read_result
    from ser_pipeline.training.names import find_run

    with plain_errors():
        if part not in PARTS:
            raise SettingsError(f"--part {part}: valid are {', '.join(PARTS)}")
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        folder = find_run(run, runs)
        scores = evaluate_run(folder, manifests=manifests, cache=cache, device=device)
        info = read_result(RunInfo, folder / "settings.json")
        if info.recipe.fold != "all":
            keep_latency(folder)
        if part not in scores.parts:
            raise SettingsError(f"--part {part}: this run's split has only {', '.join(scores.parts)}")
        if fmt is Format.table:
            show_parts(info, scores)
        show_part(info, part, scores.parts[part], fmt)
        say(f"written: {folder / 'predictions.parquet'}, {folder / 'scores.json'}")
    next_step("ser report")
