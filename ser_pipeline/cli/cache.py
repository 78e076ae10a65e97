"""Commands of ``ser cache``: those that build stores, and those that look after them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ser_pipeline.cli.cache_build import augment, features, mels
from ser_pipeline.cli.common import (
    MOST_ROWS,
    BuiltFromOption,
    CacheOption,
    Format,
    FormatOption,
    FullOption,
    ManifestsOption,
    RunsOption,
    flags,
    out,
    plain_errors,
    say,
    show_table,
)
from ser_pipeline.cli.embeddings import embeddings, encoders, waves
from ser_pipeline.cli.flags import option_command, options_of
from ser_pipeline.tables.cells import count, decimal, plural

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

_SMILE: tuple[Literal["egemaps", "compare"], ...] = ("egemaps", "compare")

app = typer.Typer(no_args_is_help=True, help="Build and maintain the feature store.")
option_command(app, options_of("cache mels"))(mels)
option_command(app, options_of("cache features"))(features)
option_command(app, options_of("cache embeddings"))(embeddings)
option_command(app, options_of("cache waves"))(waves)
option_command(app, options_of("cache augment"))(augment)
app.command()(encoders)


def _manifest(manifests: Path, columns: Sequence[str]) -> "Manifest | None":
    """Read columns of the manifest; without one, print a remark and return None."""
    from ser_pipeline.errors import ManifestError
    from ser_pipeline.manifest import read_manifest

    try:
        return read_manifest(manifests, columns)
    except ManifestError as error:
        say(f"ser: continuing without a manifest: {error}")
        return None


@app.command()
def status(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show all there is to know about this store, given by its name or a prefix of it.",
        ),
    ] = None,
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
    failures: Annotated[
        bool, typer.Option("--failures", help="List every recording that could not be used, with the reason.")
    ] = False,
    full: FullOption = False,
    fmt: FormatOption = Format.table,
) -> None:
    """Show every store: its settings, what it holds, what it lacks, and why it is not current.

    The answers of teachers are shown as well, as stores of kind 'teachers'.
    """
    from ser_pipeline.store.index import read_index
    from ser_pipeline.store.status import SOURCES, find_store, stores
    from ser_pipeline.store.status import status as describe_stores
    from ser_pipeline.training.answers import answers_status

    with plain_errors():
        if name is not None and not failures:
            _details(find_store(cache, name), manifests, cache, fmt)
            return
        if failures:
            folders = stores(cache) if name is None else [find_store(cache, name)]
            rows = [
                (str(folder), digest, reason)
                for folder in folders
                for digest, reason in sorted(read_index(folder, write=False).failures().items())
            ]
            show_table("recordings that failed", ("store", "audio_digest", "reason"), rows, fmt)
            return
        found = [*describe_stores(cache, _manifest(manifests, SOURCES)), *answers_status(cache, runs)]
        if not found and fmt is Format.table:
            say(f"{cache}: no store yet; run 'ser cache mels'")
            return
        columns = ("store", "kind", "settings", "rows", "failed", "missing", "foreign", "MiB", "state")
        cells = [
            (
                item.folder.name,
                item.kind,
                item.preset,
                *map(count, (item.rows, item.failed, item.missing, item.foreign)),
                decimal(round(item.size_bytes / 2**20, 1), 1),
                item.state,
            )
            for item in found
        ]
        show_table("feature stores", columns, cells, fmt, most=None if full else MOST_ROWS)


def _details(folder: Path, manifests: Path, cache: Path, fmt: Format) -> None:
    """Show one store: its state, what it depends on, which recordings changed."""
    from ser_pipeline.options import Augmented, configured, feature_options
    from ser_pipeline.store.status import SOURCES, details
    from ser_pipeline.store.status import status as describe_stores

    recipe = configured(Path("ser.toml"))
    plain = (
        recipe.front_end,
        recipe.features,
        *(feature_options(name, recipe.features) for name in _SMILE),
    )
    options = (*plain, *(Augmented(inputs=each, changes=recipe.augment) for each in plain))
    (found,) = (
        item for item in describe_stores(cache, _manifest(manifests, SOURCES)) if item.folder == folder
    )
    rows = [("folder", str(folder)), ("state", found.state), ("recordings", str(found.rows))]
    rows += details(folder, {item.kind: item for item in options})
    rows += [("recording changed", path) for path in found.changed]
    show_table(f"{found.kind} {folder.name}", ("what", "value"), rows, fmt)


@app.command()
def verify(
    data: BuiltFromOption = None,
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    sample: Annotated[
        int, typer.Option(min=0, help="Compute this many rows of each store again and compare them.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Choose the rows by this seed.")] = 0,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Set damaged shards aside so that the next build makes them again."),
    ] = False,
) -> None:
    """Read every byte again and recompute some rows; the exit status is 1 if anything differs."""
    from ser_pipeline.errors import StoreError
    from ser_pipeline.store.maintenance import repair as set_aside
    from ser_pipeline.store.maintenance import verify as check
    from ser_pipeline.store.plan import COLUMNS
    from ser_pipeline.store.status import stores

    with plain_errors():
        manifest = _manifest(manifests, COLUMNS)
        folder = data if data is not None or manifest is None else manifest.data
        if folder is not None and manifest is not None and not folder.is_dir():
            say(f"{folder}: is not a folder, so nothing is recomputed; pass the corpora's folder with --data")
        bad = 0
        found = list(stores(cache))
        if not found:
            raise StoreError(f"{cache}: holds no store; pass --cache, or run 'ser cache mels' to make one")
        for store in found:
            report = check(store, manifest, folder, sample=sample, seed=seed)
            out(
                f"{store}: {plural(report.shards, 'shard')}, {plural(report.rows, 'row')} intact, "
                f"{report.recomputed} recomputed, {plural(len(report.problems), 'problem')}"
            )
            for line in report.problems[:10]:
                say(f"  {line}")
            bad += len(report.problems)
            if repair and report.damaged:
                again, shards = _again(store, manifests), set_aside(report)
                them = "it" if shards == 1 else "them"
                say(f"  {plural(shards, 'shard')} set aside; to build {them} again, {again}")
        if bad:
            raise typer.Exit(1)


def _again(store: Path, manifests: Path) -> str:
    """The command that builds a store again; to be asked before its damaged shards are set aside."""
    from ser_pipeline.options import options_of as options_in
    from ser_pipeline.store import build_again
    from ser_pipeline.store.build import describe
    from ser_pipeline.store.index import read_index
    from ser_pipeline.store.read import Store

    described = describe(store)
    if described is None:
        return f"use the command that made this store of {store.parent.name.replace('-', ' ')}"
    options = options_in(described)
    copies = Store(store, options, read_index(store, write=False)).copies
    return f"run '{build_again(store, options, max(1, copies))}{flags(manifests=manifests)}'"


@app.command()
def gc(
    manifests: ManifestsOption = Path("manifests"),
    cache: CacheOption = Path("cache"),
    runs: RunsOption = Path("runs"),
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete what is listed; without this flag nothing is deleted.")
    ] = False,
) -> None:
    """List files that no command can use any more, and delete them with --yes.

    The answers of a teacher are among them if no run in --runs learned from it.
    """
    from ser_pipeline.store.maintenance import collect, garbage, partial
    from ser_pipeline.training.answers import unused_answers

    with plain_errors():
        manifest = _manifest(manifests, ["audio_digest"])
        if manifest is not None and partial(manifest):
            say("the manifest was built with --limit, so rows of recordings outside it are kept")
        found = [*garbage(cache, manifest), *unused_answers(cache, runs)]
        if found:
            rows = [(decimal(item.size_bytes / 2**20, 1), str(item.path), item.reason) for item in found]
            show_table("what no command can use", ("MiB", "path", "why"), rows)
        total = sum(item.size_bytes for item in found) / 2**20
        if not found:
            say("there is nothing to delete")
        elif yes:
            collect(found)
            say(f"freed {total:.1f} MiB")
        else:
            say(f"{total:.1f} MiB in {plural(len(found), 'place')}; 'ser cache gc --yes' deletes them")


@app.command()
def merge(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Copy the shards of these caches; without any, only the indexes are rebuilt.",
        ),
    ] = None,
    cache: CacheOption = Path("cache"),
) -> None:
    """Copy complete shards from other caches, and make the index of every store again."""
    from ser_pipeline.errors import StoreError
    from ser_pipeline.store.maintenance import merge_caches

    with plain_errors():
        found = merge_caches(cache, folders or [])
        if not found:
            raise StoreError(f"{cache}: holds no store; pass --cache, or run 'ser cache mels' to make one")
        for store in found:
            out(
                f"{store.folder}: {plural(store.rows, 'recording')} ({plural(store.copied, 'shard')} copied, "
                f"{store.known} already here, {len(store.refused)} refused)"
            )
            for line in store.refused[:10]:
                say(f"  {line}")
        if any(store.refused for store in found):
            raise typer.Exit(1)
