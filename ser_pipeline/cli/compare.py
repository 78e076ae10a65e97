"""The command ``ser compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ser_pipeline.cli.common import (
    Format,
    FormatOption,
    ManifestsOption,
    RunsOption,
    plain_errors,
    say,
    show_table,
)

if TYPE_CHECKING:
    from ser_pipeline.evaluation.compare import Compared, ComparedScore

_WORDS: Final = {"uar": "UAR", "accuracy": "accuracy", "macro_f1": "macro-F1"}


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Runs by folder or name; the first is the base.")
    ],
    manifests: ManifestsOption = Path("manifests"),
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Compare runs with the first one, on the same test clips: how far apart, and how sure that is.

    Runs that differ in their seed alone count as one.
    """
    with plain_errors():
        from ser_pipeline.evaluation.compare import compare_runs
        from ser_pipeline.manifest import read_manifest
        from ser_pipeline.training.names import find_run

        folders = [find_run(Path(name), runs) for name in names]
        found = compare_runs(folders, read_manifest(manifests))
    columns = ("run", "score", "base", "run's", "difference", "95 % interval", "p (Holm)", "beside the base")
    rows = [_row(row, fmt) for row in found.scores]
    show_table(f"beside {found.base.name}, in percent", columns, rows, fmt)
    for line in _notes(found):
        say(line)


def _row(row: "ComparedScore", fmt: Format) -> tuple[Any, ...]:
    found = row.found
    interval = (
        ""
        if found.low is None or found.high is None
        else f"{100 * found.low:+.1f} to {100 * found.high:+.1f}"
    )
    p = f"{row.corrected_p:.3f}" if row.corrected_p >= 0.001 else "< 0.001"
    return (
        row.arm.name,
        _WORDS[row.score],
        f"{100 * found.second:.1f}",
        f"{100 * found.first:.1f}",
        f"{100 * found.difference:+.1f}",
        interval,
        p if fmt is Format.table else row.corrected_p,
        row.answer,
    )


def _notes(found: "Compared") -> list[str]:
    first = found.scores[0].found
    lines = [
        f"{found.clips} test clips of {first.speakers} speakers"
        + (f"; {found.left_out} clips that not all were tested on are left out" if found.left_out else ""),
        "intervals draw speakers, the same for both, and seeds where there are several; "
        "p swaps the two for each speaker",
    ]
    if 2.0 ** (1 - first.speakers) > 0.05:
        lines.append("so few speakers decide nothing, whatever the difference")
    arms = [found.base, *(row.arm for row in found.scores)]
    leaking = sorted({arm.name for arm in arms if arm.leaks})
    if leaking:
        lines.append(f"heard their test speakers in training: {', '.join(leaking)}")
    if any(arm.synthetic for arm in arms):
        lines.append("some of these recordings are synthetic voices: this says nothing about real speech")
    return lines
