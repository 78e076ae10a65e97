"""Look after stores: verify them, delete what no command can use, merge what several machines built."""

import math
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ser_pipeline.arrays import Float32s, numbers_of
from ser_pipeline.atomic import TEMPORARY_SUFFIX, explained, write_atomically
from ser_pipeline.encoders import encoder_folders, found_again
from ser_pipeline.errors import AudioError, EncoderError, SettingsError, StoreCorrupt, StoreError, remark
from ser_pipeline.front_end import layout_of, row_of_variant
from ser_pipeline.manifest.digest import Digests, Places, packed, packed_texts, unpacked
from ser_pipeline.options import Augmented, EmbeddingOptions, StoreOptions, inputs_of, options_of
from ser_pipeline.store.build import describe
from ser_pipeline.store.identity import fingerprint
from ser_pipeline.store.index import read_index, set_aside
from ser_pipeline.store.plan import EVERY_SHARD, Plan, PlannedClip, shard_range
from ser_pipeline.store.read import Store
from ser_pipeline.store.shard import (
    ShardRows,
    packed_keys,
    read_keys,
    read_rows,
    shard_number,
    shard_path,
    shard_paths,
    store_of,
    write_shard,
)
from ser_pipeline.store.status import files_of, folder_bytes, outdated, stores
from ser_pipeline.store.work import recording_of
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

TOLERANCE = 2e-3
"""Largest difference of a recomputed value, relative where it is above 1: a step of float16, rounding."""

_PARTIAL_AGE_S = 3600


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What ``ser cache verify`` found.

    Attributes:
        shards: shards read.
        rows: rows whose checksum fits.
        recomputed: rows computed again from their recording.
        problems: one line each.
        damaged: shards that must be built again.
    """

    shards: int
    rows: int
    recomputed: int
    problems: tuple[str, ...]
    damaged: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something ``ser cache gc`` can take away.

    Attributes:
        path: a file, or the folder of a store.
        reason: why it is of no use.
        size_bytes: freed by taking it away.
        rows: digests to drop from the shard at ``path``; empty drops the whole.
    """

    path: Path
    reason: str
    size_bytes: int
    rows: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Merged:
    """What ``ser cache merge`` did to one store.

    Attributes:
        folder: of the store.
        rows: recordings it holds now.
        copied: shards taken over.
        known: shards all of whose recordings were there before.
        refused: one line for each shard that was left out, or that is damaged here.
    """

    folder: Path
    rows: int
    copied: int
    known: int
    refused: tuple[str, ...]


def verify(
    folder: Path, manifest: "Manifest | None", data: Path | None, *, sample: int, seed: int = 0
) -> VerifyReport:
    """Read every byte of a store again, and compute a sample of its rows again.

    Args:
        folder: of the store.
        manifest: to find recordings; None recomputes nothing.
        data: folder the manifest's paths are relative to.
        sample: rows to recompute at most.
        seed: of the choice.
    """
    problems, damaged, rows, shards = [], [], 0, 0
    for path in shard_paths(folder):
        shards += 1
        try:
            if fingerprint(read_keys(path).described) != folder.name:
                raise StoreCorrupt(f"{path}: was made with other settings or library versions than its store")
            rows += len(read_rows(path))
        except StoreCorrupt as error:
            problems.append(str(error))
            damaged.append(path)
    recomputed = 0
    described = describe(folder)
    if manifest is not None and data is not None and data.is_dir() and described is not None and not damaged:
        try:
            recomputed, wrong = _recompute(folder, manifest, data, described, sample, seed)
            problems += wrong
        except EncoderError as error:
            problems.append(f"no row can be recomputed: {error}")
    return VerifyReport(shards, rows, recomputed, tuple(problems), tuple(damaged))


def _recompute(
    folder: Path, manifest: "Manifest", data: Path, described: dict[str, Any], sample: int, seed: int
) -> tuple[int, list[str]]:
    options = _with_encoder(options_of(described))
    store = Store(folder, options, read_index(folder, write=False))
    plan = Plan.of(manifest.table, options, copies=max(1, store.copies))
    positions = store.find(plan.keys)
    present = np.flatnonzero(positions >= 0)
    chosen = present[np.sort(np.random.default_rng(seed).permutation(len(present))[:sample])]
    problems, recomputed = [], 0
    for clip, position in zip(plan.clips(chosen), positions[chosen].tolist(), strict=True):
        try:
            recording = recording_of(data, clip, options.sample_rate)
        except AudioError as error:
            problems.append(f"cannot recompute {clip.name}: {error}")
            continue
        if recording.digest != clip.digest:
            problems.append(
                f"{clip.name}: the recording or ffmpeg has changed since the manifest was built; "
                "run 'ser manifest build'"
            )
            continue
        off = _off(store, position, clip, recording.wave)
        recomputed += 1
        if not off <= TOLERANCE:  # also where it is not a number
            problems.append(
                f"{clip.name}: recomputed values differ by {off:.2g}; delete {folder} and build it"
            )
    return recomputed, problems


def _with_encoder(options: StoreOptions) -> StoreOptions:
    """The same options, with the folder in which their encoder lies today, where they have one.

    Raises:
        EncoderError: it is nowhere on this machine.
    """
    inputs = inputs_of(options)
    if not isinstance(inputs, EmbeddingOptions):
        return options
    found = found_again(inputs, encoder_folders())
    return options.model_copy(update={"inputs": found}) if isinstance(options, Augmented) else found


def _off(store: Store, position: int, clip: PlannedClip, wave: Float32s) -> float:
    """Largest difference between a row and what its recording gives today."""
    values, frames, _ = store.read([position])
    row = row_of_variant(
        wave, store.options, digest=clip.digest, variant=clip.variant, modality=clip.modality
    )
    if int(frames[0]) != row.frames:
        return math.inf
    return float((np.abs(values[0] - row.values) / np.maximum(1, np.abs(row.values))).max())


def repair(report: VerifyReport) -> int:
    """Set damaged shards aside, so that the next build computes their recordings again; returns how many.

    Raises:
        StoreError: a build works on one of them.
    """
    count = 0
    for path in report.damaged:
        with shard_range(store_of(path), shard_number(path), shard_number(path) + 1):
            count += set_aside(path)
    return count


def garbage(cache: Path, manifest: "Manifest | None") -> list[Garbage]:
    """List files that no command can use any more; nothing is deleted.

    Args:
        cache: folder of all stores.
        manifest: rows of recordings it does not name are listed; None leaves them alone, and so
            does a manifest that was built with ``--limit``.

    Returns:
        Files, rows and stores; a store whose settings need a library that is not installed is left out, with
        a remark.
    """
    found: list[Garbage] = []
    whole = manifest is not None and not partial(manifest)
    digests = packed(manifest.table["audio_digest"].chunks) if manifest and whole else None
    for folder in stores(cache):
        described = describe(folder)
        try:
            old = [] if described is None else outdated(described)
        except SettingsError as error:
            remark(f"{folder}: left alone, as nothing can be said of it: {error}")
            continue
        if old:
            size = folder_bytes(folder)
            found.append(Garbage(folder, "outdated: " + "; ".join(old), size))
            continue
        found += _left_over(folder)
        if digests is not None:
            found += _foreign(folder, digests)
    return found


def partial(manifest: "Manifest") -> bool:
    """The manifest was built with ``--limit``: a recording it does not name may well be there."""
    return bool(manifest.facts.get("settings", {}).get("limit"))


def _left_over(folder: Path) -> Iterator[Garbage]:
    now = time.time()
    for path, status in files_of(folder):
        if path.name.endswith(TEMPORARY_SUFFIX) and now - status.st_mtime > _PARTIAL_AGE_S:
            yield Garbage(path, "left by an interrupted build", status.st_size)
        elif path.name.endswith(".damaged"):
            yield Garbage(path, "damaged shard that was set aside", status.st_size)


def _foreign(folder: Path, digests: Digests) -> Iterator[Garbage]:
    index = read_index(folder, write=False)
    shards, held = numbers_of(index.table["shard"], np.int32), index.digests
    foreign = np.flatnonzero(Places(digests).find(held) < 0)  # by shard, as an index is
    numbers, starts = np.unique(shards[foreign], return_index=True)
    counts = np.bincount(shards)
    for number, places in zip(numbers.tolist(), np.split(foreign, starts[1:]), strict=False):
        rows = frozenset(unpacked(held[places]).to_pylist())
        path = shard_path(folder, number)
        size = round(path.stat().st_size * len(rows) / int(counts[number]))
        yield Garbage(path, f"{plural(len(rows), 'row')} of recordings not in the manifest", size, rows)


def collect(found: list[Garbage]) -> int:
    """Take away what :func:`garbage` listed; returns the bytes freed.

    Raises:
        StoreError: a build works on the store; nothing of it is taken then.
        SerError: the folder of a store cannot be removed.
    """
    for item in found:
        folder = item.path if item.path.is_dir() else store_of(item.path)
        with shard_range(folder, 0, EVERY_SHARD):
            _take_away(item)
        try:
            if item.path.is_dir():  # on Windows the locks are still there, as they were held
                shutil.rmtree(item.path)
        except OSError as error:
            raise explained(error, item.path) from None
    return sum(item.size_bytes for item in found)


def _take_away(item: Garbage) -> None:
    if item.path.is_dir():
        shutil.rmtree(item.path, ignore_errors=True)
    elif item.rows:
        _drop_rows(item.path, item.rows)
    else:
        item.path.unlink(missing_ok=True)


def _drop_rows(path: Path, digests: frozenset[str]) -> None:
    rows = read_rows(path)
    described = describe(store_of(path))
    keep = [number for number, key in enumerate(rows.digests) if key.decode() not in digests]
    failed = tuple(item for item in rows.failed if item[0] not in digests)
    if described is None or not (keep or failed):
        path.unlink()
    else:
        layout = layout_of(options_of(described))
        kept = rows.take(keep, failed)
        write_shard(path, kept, layout=layout, name=fingerprint(described), described=described)


def merge_caches(cache: Path, others: Sequence[Path]) -> list[Merged]:
    """Copy complete shards from other caches, and make every index again.

    A shard is read whole and checked before it is copied. It keeps its number where that is
    free, and takes the next free one where it is not; nothing that stands here is overwritten.

    Args:
        cache: folder of all stores, to copy into.
        others: folders of the same form; without any, only the indexes are made again.

    Raises:
        StoreError: a folder that is not a cache, or a build works on a store.
    """
    for other in others:
        if not any(stores(other)):
            raise StoreError(f"{other}: holds no store; pass the folder that holds 'mels' or 'features'")
        if other.resolve() == cache.resolve():
            raise StoreError(f"{other}: is the target of the merge; pass only the other caches")
    sources: dict[Path, list[Path]] = {folder.relative_to(cache): [] for folder in stores(cache)}
    for other in others:
        for folder in stores(other):
            sources.setdefault(folder.relative_to(other), []).append(folder)
    return [_merge(cache / name, found) for name, found in sorted(sources.items())]


def _merge(folder: Path, sources: Sequence[Path]) -> Merged:
    with shard_range(folder, 0, EVERY_SHARD):
        copied, known, refused = 0, 0, []
        here = read_index(folder).usable()
        rows, recordings = Places(here.keys()), Places(here.digests)
        failed, fresh = set(read_index(folder).failures()), set[bytes]()
        for path in (path for source in sources for path in shard_paths(source)):
            try:
                theirs = _checked(path, folder)
            except StoreCorrupt as error:
                refused.append(str(error))
                continue
            keys, bad = packed_keys(theirs), {digest for digest, _ in theirs.failed}
            lost = packed_texts([*bad - failed])
            new = {key.tobytes() for key in keys[rows.find(keys) < 0]}
            if new | {key.tobytes() for key in lost[recordings.find(lost) < 0]} <= fresh:
                known += 1
                continue
            _copy(path, folder)
            fresh |= new
            failed |= bad
            copied += 1
        index = read_index(folder)
    good = index.table.num_rows - len(index.failures())
    return Merged(folder, good, copied, known, (*refused, *(line for _, line in index.damaged)))


def _checked(path: Path, folder: Path) -> ShardRows:
    """A whole shard.

    Raises:
        StoreCorrupt: its bytes are not those that were written, or it is of another store.
    """
    rows = read_rows(path)
    with h5py.File(path, "r") as file:
        said = str(file.attrs["fingerprint"])
    if not said == folder.name == fingerprint(read_keys(path).described):
        raise StoreCorrupt(
            f"{path}: was made with other settings or library versions than {folder.name}; skipped"
        )
    return rows


def _copy(path: Path, folder: Path) -> None:
    target = shard_path(folder, shard_number(path))
    if target.exists():
        target = shard_path(folder, shard_number(shard_paths(folder)[-1]) + 1)
    with write_atomically(target) as part:
        shutil.copyfile(path, part)
        if os.path.lexists(target):
            raise StoreError(f"{target}: was created while shards were copied; run the same command again")
