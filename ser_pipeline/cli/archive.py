"""Predictions on an archive of recordings, as ``ser predict --out`` makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_pipeline.cli.cache_build import Workers
from ser_pipeline.cli.common import Format, counted, out, say
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.options import PredictOptions


@dataclass(frozen=True, slots=True)
class Archive(Workers):
    """Where predictions on many recordings go."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Write the predictions into this Parquet file, in parallel; run the same command again to "
            "continue after a stop, or to add recordings.",
        ),
    ] = None


def check_archive(
    archive: Archive,
    *,
    one_speaker: bool,
    enrol: Sequence[str] | None,
    picture: Path | None,
    threads: int | None,
    fmt: Format,
) -> None:
    """Refuse options that say nothing with or without ``--out``.

    Raises:
        SettingsError: names the first.
    """
    from ser_pipeline.errors import SettingsError

    if archive.out is None:
        if archive != Archive():
            raise SettingsError(
                "--jobs, --backend and --scheduler share the work of --out; add --out FILE.parquet"
            )
        return
    if archive.out.suffix != ".parquet":
        raise SettingsError(f"--out {one_line(str(archive.out))}: must end in .parquet")
    wrong = {
        "--one-speaker": one_speaker, "--enrol": enrol, "--picture": picture, "--threads": threads,
        f"--format {fmt}": fmt is not Format.table,
    }  # fmt: skip
    for flag, value in wrong.items():
        if value:
            raise SettingsError(f"{flag} does not go with --out; leave one of them out")


def predict_into(
    words: Sequence[str],
    archive: Archive,
    place: Path,
    model: Path,
    options: "PredictOptions",
    *,
    timeline: bool,
) -> None:
    """Write predictions on many recordings into one file, and say how it went."""
    from ser_pipeline.errors import RunError
    from ser_pipeline.serving.archive import archive_clips, predict_archive

    clips, failures = archive_clips(words)
    if not clips:
        raise RunError("; ".join(failure.reason for failure in failures) or f"{words[0]}: holds no recording")
    with counted("predicting", "recordings") as on_progress:
        summary = predict_archive(
            model, clips, place, options,
            timeline=timeline, jobs=archive.jobs, scheduler=archive.checked_scheduler,
            on_progress=on_progress,
        )  # fmt: skip
    for failure in failures:
        say(f"ser: {one_line(failure.reason)}")
    out(
        f"{summary.out}: {plural(summary.recordings, 'recording')} ({summary.computed} new, "
        f"{summary.failed} could not be used)"
    )
    if summary.failed or failures:
        raise typer.Exit(1)
