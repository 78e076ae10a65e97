"""The command ``ser bench``: speed as a ratio to the plain way, in one run."""

from pathlib import Path
from typing import Annotated

import typer

from ser_pipeline.cli.common import (
    DataOption,
    Format,
    FormatOption,
    ManifestsOption,
    plain_errors,
    say,
    show_table,
)


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benches to run; all by default.")] = None,
    data: DataOption = Path("DataSets"),
    manifests: ManifestsOption = Path("manifests"),
    clips: Annotated[int, typer.Option(min=40, help="Recordings to work on, chosen at random.")] = 120,
    fmt: FormatOption = Format.table,
) -> None:
    """Measure speed against plain pipelines on the same recordings, one thread a worker."""
    from threadpoolctl import threadpool_limits

    with plain_errors(), threadpool_limits(1):
        from ser_pipeline.bench import run_benches

        rows = []
        for figure in run_benches(manifests, data, names or [], clips):
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
    show_table("speed", ("work", "rate", "unit", "ratio", "against", "floor", "goal", "how"), rows, fmt)
