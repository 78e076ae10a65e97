"""The command ``ser bench``: speed as a ratio to the plain way, in one run."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from ser_pipeline.cli.budget import BudgetOption, need_budget, parse_budget
from ser_pipeline.cli.common import (
    CacheOption,
    DataOption,
    DeviceOption,
    Format,
    FormatOption,
    ManifestsOption,
    plain_errors,
    say,
    show_table,
)

AFTER: Final = "name the benchmarks that did not fit to run them alone"


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Run these benchmarks; all of them by default.")
    ] = None,
    data: DataOption = Path("DataSets"),
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    device: DeviceOption = "auto",
    clips: Annotated[int, typer.Option(min=40, help="Use this many recordings, chosen at random.")] = 120,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw time and memory against size, as 'bench scale' measures them, in this SVG file."
        ),
    ] = None,
    budget: BudgetOption = None,
    fmt: FormatOption = Format.table,
) -> None:
    """Measure speed against plain pipelines on the same recordings, one thread per worker."""
    from threadpoolctl import threadpool_limits

    with plain_errors(), threadpool_limits(1):
        from ser_pipeline.errors import SettingsError

        try:
            from ser_pipeline.benchmarks import bench_seconds, run_benches
        except ModuleNotFoundError as error:
            if error.name != "ser_pipeline.benchmarks":
                raise
            raise SettingsError(
                "the benchmarks come with the source checkout only; "
                "get it and install it with pip install -e ."
            ) from None
        if plot is not None and "scale" not in (names or []):
            raise SettingsError("--plot draws what bench scale measures; run 'ser bench scale --plot FILE'")
        deadline = time.monotonic() + parse_budget(budget)
        need_budget(budget, bench_seconds(names or [], clips), "these benchmarks take", after=AFTER)
        rows, found = [], []
        for figure in run_benches(manifests, data, names or [], clips, cache=cache, device=device):
            found.append(figure)
            ratio = None if figure.ratio is None else round(figure.ratio, 2)
            say(
                f"{figure.work}: {figure.rate:.4g} {figure.unit}"
                + (f", {ratio} x {figure.reference}" if ratio else "")
            )
            rows.append(
                (
                    figure.work,
                    float(f"{figure.rate:.4g}"),
                    figure.unit,
                    ratio,
                    figure.reference,
                    figure.floor,
                    figure.goal,
                    figure.note,
                )
            )
            if time.monotonic() > deadline:
                say("the budget was used up; name the benchmarks that were not run to run them alone")
                break
        if plot is not None:
            from ser_pipeline.benchmarks.scale import draw_scale

            draw_scale([figure for figure in found if figure.peak_mib is not None], plot)
    show_table("speed", ("work", "rate", "unit", "ratio", "against", "floor", "goal", "how"), rows, fmt)
