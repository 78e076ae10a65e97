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
    tell_unread,
)
from ser_pipeline.cli.findings import synthetic_voices
from ser_pipeline.tables import Column
from ser_pipeline.tables.cells import in_points, p_text, people, plural

if TYPE_CHECKING:
    from ser_pipeline.evaluation.compare import Compared, ComparedScore

_WORDS: Final = {"uar": "UAR", "accuracy": "accuracy", "macro_f1": "macro-F1"}
"""Scores that are shown in percent; others are numbers as they are."""


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN",
            help="Compare these runs, by folder or name; the others are compared with the first.",
        ),
    ],
    manifests: ManifestsOption = Path("manifests"),
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Compare runs with the first one on the same test clips, with intervals and p-values.

    Runs that differ only in their seed count as one.
    """
    with plain_errors():
        from ser_pipeline.evaluation.compare import compare_runs
        from ser_pipeline.manifest import read_manifest
        from ser_pipeline.runs.files import read_info
        from ser_pipeline.runs.find import find_run

        folders = [find_run(name, runs) for name in names]
        tell_unread(runs, *folders)
        manifest = read_manifest(manifests)
        found = compare_runs(folders, manifest)
        corpora = [corpus for folder in folders for corpus in read_info(folder).corpora]
        synthetic = synthetic_voices(corpora, manifest.digest, manifests)
    shown = fmt is Format.table
    numbers = ("base", "run's", "difference", *(("95 % interval",) if shown else ("low", "high")), "p (Holm)")
    tested = [] if shown else ["clips", "speakers"]
    run = Column("run", numeric=False, whole=True)
    columns: list[str | Column] = [run, "score", *tested, *map(Column, numbers), "against the base"]
    rows = [_shown(row) if shown else _numbers(row) for row in found.scores]
    percent = [name for score, name in _WORDS.items() if score in {row.score for row in found.scores}]
    every = len(percent) == len({row.score for row in found.scores})
    told = ", in percent" if every else f"; {', '.join(percent)} in percent" if percent else ""
    show_table(f"compared with {found.base.name}{told}", columns, rows, fmt)
    for line in _notes(found, synthetic):
        say(line)


def _shown(row: "ComparedScore") -> tuple[str, ...]:
    """A line for a screen, shares in percent."""
    found, points = row.found, row.score in _WORDS
    low, high = (
        "" if each is None else in_points(each, "+", points=points) for each in (found.low, found.high)
    )
    return (
        row.arm.name,
        _called(row.score),
        in_points(found.second, points=points),
        in_points(found.first, points=points),
        in_points(found.difference, "+", points=points),
        f"{low} to {high}" if low else "",
        p_text(row.corrected_p),
        row.answer,
    )


def _numbers(row: "ComparedScore") -> tuple[Any, ...]:
    """A line for other programs: numbers as they are, shares from 0 to 1."""
    found = row.found
    return (
        row.arm.name, _called(row.score), row.clips, found.speakers, found.second, found.first,
        found.difference, found.low, found.high, row.corrected_p, row.answer,
    )  # fmt: skip


def _called(score: str) -> str:
    others = {"cross_entropy": "cross-entropy against votes"}
    return _WORDS.get(score) or others.get(score) or score.replace("ccc", "CCC of")


def _notes(found: "Compared", synthetic: str) -> list[str]:
    first = found.scores[0].found
    lines = [
        f"{plural(found.clips, 'test clip')} of {people(first.speakers)}"
        + (f"; left out {plural(found.left_out, 'clip')} not tested by every run" if found.left_out else ""),
        *(
            f"{score}: only {plural(clips, 'clip')} of {speakers}"
            for score, clips, speakers in dict.fromkeys(
                (_called(row.score), row.clips, people(row.found.speakers)) for row in found.scores
            )
            if clips != found.clips
        ),
        "intervals: paired bootstrap over speakers, and over seeds where there are several; "
        "p: permutation test that swaps the two runs for each speaker",
    ]
    if first.undecidable:
        lines.append("there are too few speakers to decide anything, whatever the difference")
    arms = [found.base, *(row.arm for row in found.scores)]
    splits = dict.fromkeys((arm.name, arm.split) for arm in arms)
    if len({split for _, split in splits}) > 1:
        told = "; ".join(f"{name}: {split}" for name, (split, _) in splits)
        lines.append(f"the splits differ ({told}), so these runs learned from different recordings")
    leaking = sorted({arm.name for arm in arms if arm.leaks})
    if leaking:
        lines.append(f"trained on clips of their test speakers: {', '.join(leaking)}")
    if any(arm.synthetic for arm in arms):
        lines.append(f"{synthetic}: this says nothing about real speech")
    return lines
