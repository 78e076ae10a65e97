"""Manifest and stores: what has to be there before a model is trained."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from ser_pipeline.api.places import CACHE, DATA, MANIFESTS, SETTINGS_FILE, OnProgress, Place, check_counts
from ser_pipeline.corpora import own_descriptions
from ser_pipeline.corpora.listed import listed_corpora
from ser_pipeline.encoders import encoder_folders, located
from ser_pipeline.encoders.places import KNOWN
from ser_pipeline.errors import SettingsError, StoreMissing, StoreUnfinished
from ser_pipeline.manifest.build import write_manifest
from ser_pipeline.manifest.digest import digest_file
from ser_pipeline.manifest.read import Manifest, query, read_manifest
from ser_pipeline.manifest.scan import Find, Modules
from ser_pipeline.manifest.summary import ManifestSummary, refuse_rejects
from ser_pipeline.manifest.validate import Problems, validate
from ser_pipeline.options import (
    Augmented,
    FeatureSet,
    InputOptions,
    Recipe,
    StoreOptions,
    feature_options,
    names_model,
    own_tasks,
)
from ser_pipeline.options.made import chosen_recipe, own_files
from ser_pipeline.remote.addresses import address_of
from ser_pipeline.runs.types import ALL_FOLDS
from ser_pipeline.splits.make import renew_splits
from ser_pipeline.splits.split import all_splits, damaged_splits

if TYPE_CHECKING:
    from ser_pipeline.store import StoreSummary

_ON_EMBEDDINGS: Final[Mapping[str, Any]] = {"model": {"name": "logreg"}, "on": "embeddings"}

OFFERS: Final[tuple[Mapping[str, Any], ...]] = (
    *(
        {**_ON_EMBEDDINGS, "embeddings": {"encoder": known.name}}
        for known in sorted(KNOWN, key=lambda known: -known.parameters_m)
    ),
    _ON_EMBEDDINGS,
    {"model": {"name": "logreg"}},
    {"model": {"name": "crnn"}},
)
"""Recipes that are tried where no model is named, the best first.

A larger encoder does better on new speakers, any encoder does better than features, and features do as well
as mels and are learned from in seconds.
"""

FEATURE_STORES: Final[dict[str, FeatureSet]] = {
    "features": "named",
    "egemaps": "egemaps",
    "compare": "compare",
}
"""Kind of a store of features -> whose features it holds."""


def build_manifest(
    data: Place | None = None,
    manifests: Place = MANIFESTS,
    *,
    csv: Sequence[Place] = (),
    speaker_from: str | None = None,
    jobs: int = 4,
    rehash: bool = False,
    decode: bool = False,
    strict: bool = False,
    limit: int | None = None,
    follow_links: bool = True,
    on_progress: OnProgress | None = None,
    corpora: Modules | None = None,
    find: Find | None = None,
) -> ManifestSummary:
    """Write the manifest of every corpus below a folder, or of tables, its rejects, and the default split.

    The manifest is replaced at the end, whole. What was read is kept, also when the build is
    interrupted, and is not read again while it is unchanged.

    Args:
        data: folder that holds the corpora; nothing in it is changed. ``DataSets`` by default, and with
            ``csv`` the folder of the first table.
        manifests: folder to write to.
        csv: tables of recordings (CSV, TSV, JSON lines or Parquet), which take the place of the corpora.
        speaker_from: regular expression whose one group finds the speaker in a path, for tables without a
            column of speakers.
        jobs: recordings read at once.
        rehash: read all recordings, changed or not.
        decode: also decode each, so that silent and damaged samples are found now.
        strict: raise at the end if any recording was rejected.
        limit: take this many recordings of each corpus, by a fixed random choice.
        follow_links: take recordings that links lead out of ``data`` for; else they become rejects.
        on_progress: called with how many recordings are read, and of how many.
        corpora: corpus id -> module; by default those that are shipped, and those that files in ``corpora``
            of the working folder or named in ``ser.toml`` describe.
        find: gives each recording below ``data`` to one corpus; by their names and folders by default.

    Raises:
        SettingsError: ``jobs`` or ``limit`` is below 1, or options that do not go together.
        CorpusError: ``data`` is not a folder or holds no corpus, or a description or table cannot be read.
        ManifestError: no recording can be used, or ``strict`` and some cannot.
        SerError: ``manifests`` cannot be written to.
    """
    check_counts(1, jobs=jobs, limit=limit)
    tables = [Path(table) for table in csv]
    folder = Path(data) if data is not None else tables[0].parent if tables else DATA
    if speaker_from is not None and not tables:
        raise SettingsError("speaker_from: is for tables that list recordings; pass them with --csv")
    if tables and (corpora is not None or find is not None):
        raise SettingsError("csv: does not go with corpora or find, whose place the tables take")
    told = None
    if tables:
        corpora, discovery = listed_corpora(tables, folder, speaker_from=speaker_from)
        find = lambda _: discovery  # noqa: E731
        files = [os.path.abspath(table) for table in tables]
        files += [str(file) for found in discovery.found for file in found.files]
        told = {"csv": {table: digest_file(Path(table)) for table in files[: len(tables)]},
                "speaker_from": speaker_from, "files": files}  # fmt: skip
    written = write_manifest(
        folder,
        Path(manifests),
        jobs=jobs,
        rehash=rehash,
        decode=decode,
        limit=limit,
        on_progress=on_progress,
        corpora=corpora,
        descriptions=own_descriptions(Path(), own_files(SETTINGS_FILE)),
        find=find,
        told=told,
        follow_links=follow_links,
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
    inputs: str | StoreOptions = "mels",
    *,
    copies: int = 0,
    preset: str | None = None,
    data: Place | None = None,
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    settings: Place | None = SETTINGS_FILE,
    jobs: int = 1,
    scheduler: str | None = None,
    shards: tuple[int, int | None] = (0, None),
    limit: int | None = None,
    retry_failed: bool = False,
    budget_s: float = math.inf,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
    **changes: Any,
) -> "StoreSummary":
    """Compute what a feature store lacks of the manifest's recordings; call it again to continue.

    Args:
        inputs: ``mels``, ``features`` (our own), ``egemaps`` or ``compare`` (openSMILE's), ``embeddings``
            (layers of an encoder on this machine), or all options of a store, which take the place of
            preset, settings file and changes.
        copies: random variants of each recording, in a store of their own; 0 for the recordings as they are.
        preset: ``default`` or ``paper``; None takes that of the settings file.
        data: folder the manifest's paths are relative to; by default the one it was built from.
        manifests: folder of the manifest.
        cache: folder of all stores, or its address: what is new is then made on this machine and uploaded.
        settings: settings file, which may be missing; None reads none.
        jobs: worker processes; 1 works in this process.
        scheduler: address of a Dask scheduler whose workers do the work; None works here.
        shards: first shard to work on, and the one to stop before, for job arrays.
        limit: compute at most this many recordings now.
        retry_failed: try recordings again that failed before.
        budget_s: begin nothing after these seconds; another call continues.
        dry_run: only count what would be done.
        on_progress: called with how many recordings are done, and of how many that are computed now.
        **changes: settings of the front end, the features and the variants, as ``n_mels=80``.

    Returns:
        What was done; recordings that cannot be used are listed in it.

    Raises:
        SettingsError: a kind of store or a setting that does not exist, or a value that does not fit.
        ManifestError: the manifest is missing, foreign or broken.
        StoreError: another build holds these shards, the folder cannot be written to, or the
            recordings are not where the manifest says.
    """
    from ser_pipeline.store import build_store as build
    from ser_pipeline.store import store_folder
    from ser_pipeline.store.plan import COLUMNS

    check_counts(1, jobs=jobs, limit=limit)
    check_counts(0, copies=copies)
    if isinstance(inputs, str):
        place = None if settings is None else Path(settings)
        options = _store_options(inputs, chosen_recipe(preset=preset, settings=place, **changes), copies)
    else:
        _check_alone(inputs, copies, changes if preset is None else {"preset": preset})
        options = inputs
    total = done = 0

    def start(count: int) -> None:
        nonlocal total
        total = count
        advance(0)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress(done, total)

    manifest = read_manifest(Path(manifests), COLUMNS)
    make = partial(
        build,
        manifest,
        manifest.data if data is None else Path(data),
        options=options,
        copies=max(copies, 1),
        jobs=jobs,
        scheduler=scheduler,
        shards=shards,
        limit=limit,
        retry_failed=retry_failed,
        budget_s=budget_s,
        on_start=start,
        on_progress=advance,
    )
    if address_of(Path(cache)) is None:
        return make(Path(cache), dry_run=dry_run)
    place = store_folder(Path(cache), options)
    return _built_at(Path(cache), place, make, dry_run=dry_run, again=retry_failed, scheduler=scheduler)


def _built_at(
    cache: Path,
    place: Path,
    make: Callable[..., "StoreSummary"],
    *,
    dry_run: bool,
    again: bool,
    scheduler: str | None,
) -> "StoreSummary":
    """Build the store at an address: on this machine, from what it has, to be uploaded."""
    from ser_pipeline.store.mirror import local_cache, uploaded

    if scheduler is not None:
        raise SettingsError(
            f"{address_of(cache)}: workers of a cluster build in a folder that all of them see; pass that as "
            "the cache, and upload it when it is complete"
        )
    try:
        found = make(local_cache(cache), dry_run=True)
    except (StoreMissing, StoreUnfinished):
        with TemporaryDirectory() as empty:
            found = make(Path(empty), dry_run=True)
    if not dry_run and (found.left or again):
        with uploaded(cache, place.relative_to(cache)) as folder:
            found = make(folder)
    return replace(found, folder=place)


def _check_alone(options: StoreOptions, copies: int, given: Mapping[str, Any]) -> None:
    """Refuse what has no effect on a store whose options are all given."""
    if name := next(iter(given), None):
        raise SettingsError(f"{name}: does not go with all options of a store; leave one of them out")
    if copies and not isinstance(options, Augmented):
        raise SettingsError(
            "copies: these options are of a store without variants; pass Augmented ones, or a kind"
        )


def _store_options(kind: str, recipe: Recipe, copies: int) -> StoreOptions:
    if kind not in ("mels", *FEATURE_STORES, "embeddings"):
        valid = ", ".join(("mels", *FEATURE_STORES, "embeddings"))
        raise SettingsError(f"inputs '{kind}' do not exist; valid are {valid}, or a store's options")
    inputs: InputOptions = recipe.front_end
    if kind == "embeddings":
        inputs = located(recipe.embeddings, encoder_folders())[0]
    elif kind != "mels":
        inputs = feature_options(FEATURE_STORES[kind], recipe.features)
    return Augmented(inputs=inputs, changes=recipe.augment) if copies else inputs


def recommended(
    make: Callable[..., Recipe],
    *,
    manifests: Place = MANIFESTS,
    cache: Place = CACHE,
    settings: Place | None = SETTINGS_FILE,
) -> tuple[Recipe, str]:
    """The recipe of the best model that the stores at hand allow.

    Args:
        make: makes a recipe of the fields that it is given; what the caller asked for wins over them.
        manifests: folder of the manifest and its splits.
        cache: folder of the stores.
        settings: settings file, whose model is taken if it names one; None reads none.

    Returns:
        The recipe, and a sentence that says which model it is and why; "" where the settings file names one.

    Raises:
        SettingsError: what was asked for fits none of :data:`OFFERS`.
        StoreMissing: no store that it could learn from is complete.
        ManifestError: the manifest is missing or of other recordings; SplitError and TrainingError alike.
    """
    from ser_pipeline.datasets.prepare import read_inputs

    file = Path() if settings is None else Path(settings)
    own = own_tasks(file)
    if names_model(file):
        return make(), ""
    refused: SettingsError | None = None
    missing: StoreMissing | None = None
    for offer in OFFERS:
        try:
            made = make(**offer)
        except SettingsError as error:
            refused = error
            continue
        if made.preset == "paper" and made.model.name != "crnn":
            continue
        try:
            inputs = read_inputs(made, manifests=Path(manifests), cache=Path(cache), own_tasks=own)
            inputs.run_data(0 if made.fold == ALL_FOLDS else made.fold)
        except StoreMissing as error:
            missing = error
            continue
        return made, f"no model was named; {inputs.recipe.words} is the best that the stores in {cache} allow"
    if missing is None:
        raise refused or TypeError("there is always an offer")
    if refused is not None or made.preset == "paper":
        raise missing
    raise StoreMissing(
        f"{cache}: holds no complete store to learn from; run 'ser cache features', 'ser cache mels' "
        "or, with an encoder, 'ser cache embeddings', with the same --cache"
    )
