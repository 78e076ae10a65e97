"""Manifest and stores: what has to be there before a model is trained."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_pipeline.api.places import CACHE, DATA, MANIFESTS, SETTINGS_FILE
from ser_pipeline.errors import SettingsError
from ser_pipeline.manifest.build import write_manifest
from ser_pipeline.manifest.probe_cache import Progress
from ser_pipeline.manifest.query import query
from ser_pipeline.manifest.read import Manifest, read_manifest
from ser_pipeline.manifest.scan import Find, Modules
from ser_pipeline.manifest.summary import ManifestSummary, refuse_rejects
from ser_pipeline.manifest.validate import Problems, validate
from ser_pipeline.options import StoreOptions, configured
from ser_pipeline.splits.make import renew_splits
from ser_pipeline.splits.split import all_splits, damaged_splits

if TYPE_CHECKING:
    from ser_pipeline.store import StoreSummary


def build_manifest(
    data: str | Path = DATA,
    out: str | Path = MANIFESTS,
    *,
    jobs: int = 1,
    rehash: bool = False,
    decode: bool = False,
    strict: bool = False,
    limit: int | None = None,
    on_progress: Progress | None = None,
    corpora: Modules | None = None,
    find: Find | None = None,
) -> ManifestSummary:
    """Write the manifest of every corpus below a folder, its rejects, and the default split.

    The manifest is replaced at the end, whole. What was read is kept, also when the build is
    interrupted, and is not read again while it is unchanged.

    Args:
        data: folder that holds the corpora; nothing in it is changed.
        out: folder to write to.
        jobs: recordings read at once.
        rehash: read all recordings, changed or not.
        decode: also decode each, so that silent and damaged samples are found now.
        strict: raise at the end if any recording was rejected.
        limit: take this many recordings of each corpus, by a fixed random choice.
        on_progress: called with how many recordings are read, and of how many.
        corpora: corpus id -> module, other than the shipped ones.
        find: gives each recording below ``data`` to one corpus; by their names and folders by default.

    Raises:
        CorpusError: ``data`` is no folder or holds no corpus.
        ManifestError: no recording can be used, or ``strict`` and some cannot.
        SerError: ``out`` cannot be written to.
    """
    written = write_manifest(
        Path(data),
        Path(out),
        jobs=jobs,
        rehash=rehash,
        decode=decode,
        limit=limit,
        on_progress=on_progress,
        corpora=corpora,
        find=find,
    )
    summary = written.with_warnings(renew_splits(written.path, written.digest))
    if strict:
        refuse_rejects(summary)
    return summary


def validate_manifest(folder: Path, *, data: Path | None, jobs: int = 1) -> tuple[Manifest, Problems]:
    """Check a manifest, the recordings it names and its splits, without decoding.

    Args:
        folder: of the manifest.
        data: folder that the paths are relative to; None leaves the recordings unchecked.
        jobs: files looked up at once.

    Raises:
        ManifestError: the manifest cannot be read at all.
    """
    manifest, found = validate(folder, data=data, jobs=jobs)
    for line in damaged_splits(folder, manifest):
        found.add(line)
    return manifest, found


def query_manifest(folder: Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run one SELECT over the tables ``manifest``, ``rejects`` and ``splits``.

    Args:
        folder: of the manifest.
        sql: one statement; ``manifest`` has the column ``emotion`` beside ``emotion_id``.

    Returns:
        Column names, and rows of plain values.

    Raises:
        ManifestError: the tables cannot be read, or the query is not one SELECT that fits them.
    """
    return query(folder, sql, splits=all_splits(folder))


def build_store(
    inputs: StoreOptions | str = "mels",
    *,
    data: str | Path = DATA,
    manifests: str | Path = MANIFESTS,
    cache: str | Path = CACHE,
    jobs: int = 1,
    copies: int = 1,
    scheduler: str | None = None,
    shards: tuple[int, int | None] = (0, None),
    limit: int | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    on_start: Callable[[int], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> "StoreSummary":
    """Compute what a feature store lacks of the manifest's recordings; call it again to continue.

    Args:
        inputs: options of the store, or ``mels`` or ``features`` for those that ``ser.toml`` and the
            default preset give.
        data: folder the manifest's paths are relative to.
        manifests: folder of the manifest.
        cache: folder of all stores.
        jobs: worker processes; 1 works in this process.
        copies: variants of each recording, in a store of variants.
        scheduler: address of a Dask scheduler whose workers do the work; None works here.
        shards: range of the plan to work on, for job arrays.
        limit: compute at most this many recordings now.
        retry_failed: try recordings again that failed before.
        dry_run: only say what would be done.
        on_start: called with the number of recordings to compute.
        on_progress: called with the number of recordings done since.

    Raises:
        ManifestError: the manifest is missing, foreign or broken.
        SettingsError: ``inputs`` is no kind of store.
        StoreError: another build holds these shards, the folder cannot be written to, or the
            recordings are not where the manifest says.
    """
    from ser_pipeline.store import build_store as build

    options = _store_options(inputs) if isinstance(inputs, str) else inputs
    return build(
        read_manifest(Path(manifests)),
        Path(data),
        Path(cache),
        options,
        copies=copies,
        jobs=jobs,
        scheduler=scheduler,
        shards=shards,
        limit=limit,
        retry_failed=retry_failed,
        dry_run=dry_run,
        on_start=on_start,
        on_progress=on_progress,
    )


def _store_options(kind: str) -> StoreOptions:
    recipe = configured(SETTINGS_FILE)
    known: dict[str, StoreOptions] = {"mels": recipe.front_end, "features": recipe.features}
    if kind not in known:
        raise SettingsError(
            f"inputs '{kind}' do not exist; valid are {', '.join(known)}, or a store's options"
        )
    return known[kind]
