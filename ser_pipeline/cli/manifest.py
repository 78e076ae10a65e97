"""Commands of ``ser manifest``."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ser_pipeline.cli.common import (
    MOST_ROWS,
    Format,
    FormatOption,
    FullOption,
    ManifestsOption,
    WhereOption,
    counted,
    next_step,
    on_screen,
    out,
    plain_errors,
    put_table,
    say,
    say_short,
    say_whole,
    show_table,
)
from ser_pipeline.cli.doctor import doctor
from ser_pipeline.cli.exchange import export_, import_
from ser_pipeline.tables import one_line
from ser_pipeline.tables.cells import count, hours, plural

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest
    from ser_pipeline.manifest.summary import ManifestSummary
    from ser_pipeline.splits import Split

DATA = Path("DataSets")
MANIFESTS = Path("manifests")
CACHE = Path("cache")
app = typer.Typer(
    no_args_is_help=True, help="Build, check and query the table of all recordings, and make its splits."
)

JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Read this many recordings at once.")]


@app.command()
def build(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Read recordings from this folder or address, which holds the corpora, as in "
            "s3://bucket/corpora. The default is DataSets, and "
            "with --csv the folder of the first table.",
        ),
    ] = None,
    csv: Annotated[
        list[Path] | None,
        typer.Option(
            "--csv",
            help="Take the recordings that this table lists instead of looking for corpora; it may be at an "
            "address, and name addresses. It needs columns "
            "'path' and 'emotion'; 'speaker', 'start', 'end' and others are used too. Can be repeated.",
        ),
    ] = None,
    speaker_from: Annotated[
        str | None,
        typer.Option(
            "--speaker-from",
            metavar="REGEX",
            help="Find the speaker in the path by the one group of this regular expression, for a table "
            "without a column of speakers.",
        ),
    ] = None,
    manifests: Annotated[
        Path, typer.Option("--out", "--manifests", help="Write to this folder.")
    ] = MANIFESTS,
    jobs: JobsOption = 4,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read every recording again, whether it changed or not.")
    ] = False,
    decode: Annotated[
        bool,
        typer.Option("--decode", help="Decode every recording as well, which finds silent and damaged ones."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with status 1 if any recording is rejected.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Take only this many recordings of each corpus, to try something quickly."),
    ] = None,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links/--no-follow-links",
            help="Take recordings that links point to outside of --data, or reject them.",
        ),
    ] = True,
) -> None:
    """Scan every corpus below --data, and write the manifest, its rejects and the split 'speaker'."""
    with plain_errors("the old manifest is unchanged; run the same command again to continue"):
        from ser_pipeline.api import build_manifest
        from ser_pipeline.manifest.summary import refuse_rejects

        place = csv[0].parent if data is None and csv else data or DATA
        listing = f"reading {', '.join(map(str, csv))}" if csv else f"looking for recordings below {place}"
        say(listing)
        with counted("reading") as on_progress:
            summary = build_manifest(
                place,
                manifests,
                csv=csv or (),
                speaker_from=speaker_from,
                jobs=jobs,
                rehash=rehash,
                decode=decode,
                limit=limit,
                follow_links=follow_links,
                on_progress=on_progress,
            )
        _show_summary(summary, place)
        if strict:
            refuse_rejects(summary)
        next_step("ser cache mels", data=None if csv else place, manifests=manifests)


@app.command()
def show(
    manifests: ManifestsOption = MANIFESTS,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Count by corpus, language, emotion, speaker, gender, intensity, modality or style."
        ),
    ] = None,
    ambiguity: Annotated[
        bool, typer.Option("--ambiguity", help="Show how far listeners agree, by corpus and emotion.")
    ] = False,
    where: WhereOption = "",
    full: FullOption = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Count clips, speakers, hours and classes per corpus, language and emotion."""
    if ambiguity:
        if by:
            raise typer.BadParameter("--by does not go with --ambiguity", param_hint="--by")
        _show_ambiguity(manifests, where, fmt, full)
        return
    with plain_errors():
        from ser_pipeline.manifest.describe import (
            COUNTED_COLUMNS,
            SHOWN_GROUPS,
            at_a_glance,
            combined,
            overview,
        )

        manifest = _recordings(manifests, COUNTED_COLUMNS, where)
        if fmt is Format.table and on_screen() and not (full or by):
            put_table(at_a_glance(manifest), most=MOST_ROWS)
            _say_synthetic(manifest)
            say("'ser manifest show --full' counts emotions by corpus and language")
            return
        tables = {group: overview(manifest, group) for group in by or SHOWN_GROUPS}
        if fmt is Format.table:
            for table in tables.values():
                put_table(table, fmt, most=None if full else MOST_ROWS)
            _say_synthetic(manifest)
        else:
            put_table(combined(tables), fmt)


@app.command()
def validate(
    manifests: ManifestsOption = MANIFESTS,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Look for the recordings in this folder; by default in the one the manifest was built from.",
        ),
    ] = None,
    audio: Annotated[
        bool, typer.Option("--audio/--no-audio", help="Check that every recording is still there.")
    ] = True,
    jobs: JobsOption = 4,
) -> None:
    """Check the manifest, the recordings in it, and its splits again."""
    with plain_errors():
        from ser_pipeline.api import validate_manifest
        from ser_pipeline.errors import ManifestError
        from ser_pipeline.manifest import read_manifest
        from ser_pipeline.splits import split_names

        folder = data or read_manifest(manifests, []).data
        manifest, found = validate_manifest(manifests, data=folder if audio else None, jobs=jobs)
        for line in found.examples:
            say(f"  {one_line(line)}")
        if found.count:
            more = found.count - len(found.examples)
            shown = f"; {more} of them not shown" if more else ""
            raise ManifestError(f"{manifest.path}: {plural(found.count, 'problem')}{shown}")
        splits = ", ".join(split_names(manifests)) or "none"
        rows = plural(manifest.table.num_rows, "recording")
        out(f"{manifest.path}: {rows}, no problems; splits: {splits}")


@app.command()
def split(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Make this split: speaker, stratified, loso, kfold, loco, lolo; with --from, your own name.",
        ),
    ],
    manifests: ManifestsOption = MANIFESTS,
    seed: Annotated[int, typer.Option(min=0, help="Draw the split from this seed.")] = 0,
    ratios: Annotated[
        str | None, typer.Option(help="Divide by these shares of train/validation/test; 60/20/20 by default.")
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Make this many folds with kfold; 5 by default.")] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Read published parts or folds from this file: CSV, JSON lines or Parquet."
        ),
    ] = None,
    column: Annotated[
        Literal["part", "fold"] | None,
        typer.Option(help="Read this column with --from; fold by default if the file has both."),
    ] = None,
    leaks_speakers: Annotated[
        bool, typer.Option("--leaks-speakers", help="Accept published parts that share speakers.")
    ] = False,
    save_as: Annotated[str | None, typer.Option("--as", help="Save the split under this name.")] = None,
    where: WhereOption = "",
    full: FullOption = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Make a split, or read a published one, and show what each part contains."""
    with plain_errors():
        from ser_pipeline.splits import parse_ratios, write_split
        from ser_pipeline.splits.make import make_split
        from ser_pipeline.splits.published import IMPORT_COLUMNS
        from ser_pipeline.store.status import stores

        if source is not None:
            _refuse_made_options({"--ratios": ratios, "--folds": folds, "--as": save_as, "--where": where})
        manifest = _recordings(manifests, IMPORT_COLUMNS, where)
        if source is not None:
            made = _import(manifest, source, name, column, seed, leaks_speakers)
        elif column is not None:
            raise typer.BadParameter("--column needs --from", param_hint="--column")
        else:
            shares = None if ratios is None else parse_ratios(ratios)
            made = make_split(
                manifest, name, seed=seed, ratios=shares, folds=folds, save_as=save_as, where=where
            )
        path = write_split(manifests, made)
        _show_shares(made, manifest, fmt, full)
        say(f"{path}: {made.note}")
        fold = " --fold all" if made.folds else ""
        train = f"ser train --split {shlex.quote(made.name)}{fold}"
        next_step(train if any(stores(CACHE)) else "ser cache features", manifests=manifests)


@app.command()
def query(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SELECT", help="Run this SELECT over the tables manifest, rejects and splits."
        ),
    ],
    manifests: ManifestsOption = MANIFESTS,
    fmt: FormatOption = Format.table,
) -> None:
    """Query the tables in SQL (DuckDB); no other file can be read, and none can be written."""
    with plain_errors():
        from ser_pipeline.api import query_manifest

        columns, rows = query_manifest(manifests, sql)
        show_table(plural(len(rows), "row"), columns, rows, fmt)


app.command()(doctor)
app.command("import")(import_)
app.command("export")(export_)


def _show_summary(summary: "ManifestSummary", data: Path) -> None:
    from ser_pipeline.manifest.summary import SHOWN, reason_line, unknown_folders

    columns = ("corpus", "found", "rows", "rejects", "speakers", "hours", "missing")
    rows = [
        (
            c.corpus, *map(count, (c.files, c.rows, c.rejects, c.speakers)), hours(3600 * c.hours),
            count(c.missing),
        )
        for c in summary.corpora
    ]  # fmt: skip
    show_table(str(summary.path), columns, rows)
    known = "; nothing has changed since the last build" if summary.unchanged else ""
    say(f"{summary.held}, {summary.rejects} rejected{known}")
    for kind in summary.reasons[:SHOWN]:
        say_short(f"  {reason_line(kind)}")
    if rest := summary.reasons[SHOWN:]:
        files = plural(sum(kind.files for kind in rest), "reject")
        more = plural(len(rest), "other reason")
        say(f"  and {files} for {more}: ser manifest query 'SELECT * FROM rejects'")
    for folder in unknown_folders(summary.reasons)[:SHOWN]:
        if folder != ".":
            command = f"ser corpora init {shlex.quote(str(data / folder))}"
            say_whole(f"  {folder} looks like a corpus of its own: {command}")
    for gap in summary.missing:
        say(f"  missing: {plural(gap.count, 'recording')} of {gap.corpus} that {gap.table} lists")
    for line in summary.warnings:
        say(f"  {one_line(line)}")


def _show_shares(split: "Split", manifest: "Manifest", fmt: Format, full: bool) -> None:
    from ser_pipeline.splits.parts import shares_at_a_glance, shares_table

    if full or fmt is not Format.table or not on_screen():
        put_table(shares_table(split, manifest), fmt)
    else:
        put_table(shares_at_a_glance(split, manifest), most=MOST_ROWS)
        if not split.folds:
            say("'--full' shows each corpus")


def _import(
    manifest: "Manifest", source: Path, name: str, column: str | None, seed: int, leaks_speakers: bool
) -> "Split":
    from ser_pipeline.errors import some
    from ser_pipeline.splits.published import import_split

    read = import_split(manifest, source, name, column=column, seed=seed, allow_leaks=leaks_speakers)
    if read.unread and column is None:
        say(f"{source} has both folds and parts, and the folds are read; for the parts, use --column part")
    if read.unknown:
        names = plural(len(read.unknown), "name")
        say(f"not in the manifest: {names} of {source}: {one_line(some(read.unknown))}")
    if read.missing:
        left = plural(len(read.missing), "recording")
        say(f"not in {source}, and so in no part: {left}: {some(read.missing)}")
    return read.split


def _show_ambiguity(manifests: Path, where: str, fmt: Format, full: bool) -> None:
    with plain_errors():
        from ser_pipeline.manifest.ambiguity import COLUMNS, ambiguity_table

        brief = fmt is Format.table and on_screen() and not full
        table, notes = ambiguity_table(_recordings(manifests, COLUMNS, where), each_emotion=not brief)
        if table.rows or fmt is not Format.table:
            put_table(table, fmt, most=MOST_ROWS if brief else None)
        for note in notes:
            say(note)
        if brief and table.rows:
            say("'ser manifest show --ambiguity --full' shows each emotion")


def _recordings(manifests: Path, columns: Sequence[str], where: str) -> "Manifest":
    """Read these columns of the manifest; with a condition all columns, of recordings for which it holds."""
    from ser_pipeline.manifest import read_manifest
    from ser_pipeline.manifest.where import manifest_where

    if not where:
        return read_manifest(manifests, columns)
    manifest, left_out = manifest_where(read_manifest(manifests), where)
    if left_out:
        say(left_out)
    return manifest


def _refuse_made_options(given: Mapping[str, object]) -> None:
    for flag, value in given.items():
        if value:
            raise typer.BadParameter(f"{flag} does not go with --from", param_hint=flag)


def _say_synthetic(manifest: "Manifest") -> None:
    if manifest.synthetic:
        say(f"synthetic recordings, made by 'ser corpora synth': {', '.join(manifest.synthetic_corpora)}")
