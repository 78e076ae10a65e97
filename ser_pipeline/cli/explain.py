"""The command ``ser explain``: what the features of a run tell."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ser_pipeline.cli.common import (
    CacheOption,
    DeviceOption,
    Format,
    FormatOption,
    ManifestsOption,
    RunArgument,
    RunsOption,
    counted,
    next_step,
    out_whole,
    plain_errors,
    say,
    show_table,
    tell_unread,
)
from ser_pipeline.cli.evaluate import interval
from ser_pipeline.tables.cells import people, plural

if TYPE_CHECKING:
    from ser_pipeline.runs.explanation import Explanation, FeatureImportance, Shares

STRONGEST = 5
"""Features that are shown of each emotion."""


def explain(
    run: RunArgument = None,
    part: Annotated[str, typer.Option(help="Measure importance on this part.")] = "test",
    repeats: Annotated[int, typer.Option(min=1, help="Permute each feature and group this many times.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Draw permutations and intervals from this seed.")] = 0,
    top: Annotated[int, typer.Option(min=1, help="Show this many features; the file has all of them.")] = 20,
    device: DeviceOption = "auto",
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
    fmt: FormatOption = Format.table,
) -> None:
    """Measure which features a run relies on and how each emotion changes them, and write explanation.json.

    Importance is the drop of UAR when a feature, or a group of features, is permuted among the clips of one
    part. Effects compare each emotion with the speaker's other clips, and with published vocal profiles. For
    a run on embeddings, the importance of each input, layer and pooling is written to shares.json; for a
    probe or a fine-tuned encoder, that of each layer and each third of a clip; for a network on mels, that of
    bands of frequencies and thirds, and what in the mels of a few clips moved the decision.
    """
    from ser_pipeline import api
    from ser_pipeline.runs.explanation import EXPLANATION, SHARES, Shares
    from ser_pipeline.runs.find import find_run

    with plain_errors("nothing was written; run the same command again"):
        folder = find_run(run, runs)
        tell_unread(runs, folder)
        with counted("permute", "features and groups") as on_progress:
            found = api.explain(
                folder,
                part=part,
                repeats=repeats,
                seed=seed,
                manifests=manifests,
                cache=cache,
                device=device,
                on_progress=on_progress,
            )
        if isinstance(found, Shares):
            show_shares(found, fmt)
        else:
            show_explanation(found, top, fmt)
        say(f"written: {folder / (SHARES if isinstance(found, Shares) else EXPLANATION)}")
    next_step("ser report", manifests=manifests, cache=cache, runs_dir=runs)


def show_shares(found: "Shares", fmt: Format = Format.table) -> None:
    """Print the importance of each part of the input as one table, as JSON with all figures, or as CSV."""
    if fmt is Format.json:
        out_whole(found.model_dump_json(indent=2))
        return
    if fmt is Format.table:
        say(_of_whom(found))
    columns = ["kind", "part of the input", "numbers", "drop of UAR", "from", "to", "over repeats", "share"]
    columns += ["drop when left out", *["learned weight"] * found.weighted]
    rows = [
        [table.kind, each.name, each.columns, *_drop(each)[1:], each.share, each.without, each.weight]
        for table in found.tables
        for each in table.entries
    ]
    shown = [row[: len(columns)] for row in rows]
    show_table("importance of each part of the input", columns, shown, fmt)
    if fmt is Format.table:
        say(f"importance: {found.interval}")
        for note in found.notes:
            say(f"note: {note}")


def show_explanation(found: "Explanation", top: int, fmt: Format = Format.table) -> None:
    """Print an explanation: tables of the strongest findings, JSON with all of it, or CSV by feature."""
    if fmt is Format.json:
        out_whole(found.model_dump_json(indent=2))
    elif fmt is Format.csv:
        columns = ["feature", "unit", "group", "drop", "low", "high", "spread"]
        columns += [f"g_{emotion}" for emotion in found.emotions]
        show_table(found.part, columns, _lines(found), fmt)
    else:
        _show_tables(found, top)


def _lines(found: "Explanation") -> list[list[Any]]:
    rows = zip(found.features, found.importances, found.effects[0].values, strict=True)
    return [
        [feature.name, feature.unit, feature.group, *interval(entry.drop), entry.spread, *effects]
        for feature, entry, effects in rows
    ]


def _of_whom(found: "Explanation | Shares") -> str:
    """The score, and of how many clips and people it is, in words."""
    clips = plural(found.clips, f"{found.part} clip")
    return f"UAR {found.uar.value:.3f} on {clips} of {people(found.speakers)}"


def _show_tables(found: "Explanation", top: int) -> None:
    columns = ["drop of UAR", "from", "to", "over repeats"]
    say(_of_whom(found))
    from ser_pipeline.runs.explanation import by_drop

    groups = [_drop(entry) for entry in by_drop(found.group_importances)]
    show_table("importance of groups", ["group", *columns], groups)
    features = [_drop(entry) for entry in by_drop(found.importances)[:top]]
    show_table("importance of features", ["feature", *columns], features)
    say(f"importance: {found.importance_interval}")
    show_table("strongest effects", ["emotion", "feature", "g", "from", "to"], _strongest(found))
    say(f"effects, within speakers, over all parts: {found.effect_interval}")
    _show_profiles(found)
    for note in found.notes:
        say(f"note: {note}")


def _drop(entry: "FeatureImportance") -> list[Any]:
    return [entry.name, *interval(entry.drop), entry.spread]


def _strongest(found: "Explanation") -> list[list[Any]]:
    """The features that each emotion moves furthest, the furthest first."""
    whole = found.effects[0]
    rows: list[list[Any]] = []
    for place, emotion in enumerate(found.emotions):
        effects = [
            (value, feature.name, low[place], high[place])
            for feature, values, low, high in zip(
                found.features, whole.values, whole.low, whole.high, strict=True
            )
            if (value := values[place]) is not None
        ]
        for value, name, low_end, high_end in sorted(effects, key=lambda row: -abs(row[0]))[:STRONGEST]:
            rows.append([emotion, name, value, low_end, high_end])
    return rows


def _show_profiles(found: "Explanation") -> None:
    stated = [cell for cell in found.profiles if cell.direction in ("up", "down")]
    if not stated:
        say("vocal profiles: none of these features and emotions has a published direction")
        return
    rows = [
        [
            cell.emotion,
            cell.property,
            cell.direction,
            cell.effect.value if cell.effect else None,
            cell.verdict,
        ]
        for cell in stated
    ]
    show_table("published vocal profiles", ["emotion", "property", "published", "g", "verdict"], rows)
    summary = found.summary
    say(
        f"vocal profiles: {summary.agrees} clear effects have the published direction, {summary.opposes} the "
        f"opposite one, {summary.unclear} are not clear; by chance alone, as many or more would agree with "
        f"probability {summary.chance:.2g}"
    )
