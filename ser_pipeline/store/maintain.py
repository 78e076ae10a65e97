"""Look after stores: what they are, whether they are whole, what can go."""

import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_pipeline.atomic import TEMPORARY_SUFFIX
from ser_pipeline.audio import read_recording
from ser_pipeline.errors import AudioError, SettingsError, StoreCorrupt
from ser_pipeline.front_end import layout_of
from ser_pipeline.front_end.rows import row_of_wave
from ser_pipeline.settings import PRESETS, FrontEnd, options_of
from ser_pipeline.store.build import describe
from ser_pipeline.store.identity import differences, fingerprint, provenance
from ser_pipeline.store.index import read_index
from ser_pipeline.store.lock import EVERY_SHARD, shard_range
from ser_pipeline.store.read import Store, changes
from ser_pipeline.store.shard import read_rows, shard_number, shard_path, write_shard

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

TOLERANCE = 2e-3
"""Largest difference of a recomputed value, relative where it is above 1: a step of float16, rounding."""

_PARTIAL_AGE_S = 3600


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """One store, as ``ser cache status`` shows it.

    Attributes:
        folder: of the store.
        kind: as ``mels`` or ``features``.
        preset: preset with these settings, or how they differ from the default.
        rows: recordings it holds.
        failed: recordings that could not be used.
        missing: recordings of the manifest without a row.
        foreign: rows that no recording of the manifest has.
        size_bytes: of its files.
        state: ``current``, ``incomplete``, ``damaged``, ``empty`` or ``outdated``, with the reason.
    """

    folder: Path
    kind: str
    preset: str
    rows: int
    failed: int
    missing: int | None
    foreign: int | None
    size_bytes: int
    state: str


def stores(cache: Path) -> Iterator[Path]:
    """Folders of all stores below ``cache``, in order."""
    if cache.is_dir():
        yield from sorted(path for path in cache.glob("*/*") if path.is_dir() and len(path.name) == 16)


def status(cache: Path, manifest: "Manifest | None") -> list[StoreStatus]:
    """Describe every store below ``cache``.

    Args:
        cache: folder of all stores.
        manifest: to count what is missing; None leaves that out.
    """
    digests = None if manifest is None else set(manifest.table["audio_digest"].to_pylist())
    return [_status(folder, digests) for folder in stores(cache)]


def _status(folder: Path, digests: Set[str] | None) -> StoreStatus:
    index = read_index(folder, write=False)
    rows = {digest for digest, _ in index.clean()}
    failed = index.failures().keys()
    missing = None if digests is None else len(digests - rows)
    described = describe(folder)
    return StoreStatus(
        folder=folder,
        kind=folder.parent.name,
        preset="unknown" if described is None else settings_in_words(described),
        rows=index.table.num_rows - len(failed),
        failed=len(failed),
        missing=missing,
        foreign=None if digests is None else len(rows - digests),
        size_bytes=sum(path.stat().st_size for path in folder.glob("*") if path.is_file()),
        state=_state(described, index.damaged, missing, len(failed)),
    )


def _state(
    described: dict[str, Any] | None, damaged: tuple[str, ...], missing: int | None, failed: int
) -> str:
    if damaged:
        return f"damaged: {len(damaged)} shards cannot be read"
    if described is None:
        return "empty"
    old = outdated(described)
    if old:
        return "outdated: " + "; ".join(old)
    if missing is not None and missing > failed:
        return f"incomplete: {missing - failed} recordings to compute"
    return "current"


def outdated(described: dict[str, Any]) -> list[str]:
    """Why the same settings would make another store today; empty if they would not."""
    try:
        options = options_of(described["kind"], described["settings"])
        return differences(described, provenance(options))
    except SettingsError as error:  # settings of another version, or an extra that is gone
        return [str(error)]


def settings_in_words(described: dict[str, Any]) -> str:
    """Name the preset a store belongs to, or its differences from the nearest one."""
    try:
        options = options_of(described["kind"], described["settings"])
    except SettingsError:
        return "of another version"
    names = []
    for preset in PRESETS if isinstance(options, FrontEnd) else PRESETS[:1]:
        changed = [f"{key}={value}" for key, value in changes(options, preset).items()]
        names.append(" ".join([preset, *changed]))
    return min(names, key=lambda name: name.count(" "))


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


def verify(
    folder: Path, manifest: "Manifest | None", data: Path | None, *, sample: int, seed: int = 0
) -> VerifyReport:
    """Read every byte of a store again, and compute a sample of its rows anew.

    Args:
        folder: of the store.
        manifest: to find recordings; None recomputes nothing.
        data: folder the manifest's paths are relative to.
        sample: rows to recompute at most.
        seed: of the choice.
    """
    problems, damaged, rows, shards = [], [], 0, 0
    for path in sorted(folder.glob("shard-*.h5")):
        shards += 1
        try:
            rows += len(read_rows(path))
        except StoreCorrupt as error:
            problems.append(str(error))
            damaged.append(path)
    recomputed = 0
    described = describe(folder)
    if manifest is not None and data is not None and data.is_dir() and described is not None and not damaged:
        recomputed, wrong = _recompute(folder, manifest, data, described, sample, seed)
        problems += wrong
    return VerifyReport(shards, rows, recomputed, tuple(problems), tuple(damaged))


def _recompute(
    folder: Path, manifest: "Manifest", data: Path, described: dict[str, Any], sample: int, seed: int
) -> tuple[int, list[str]]:
    options = options_of(described["kind"], described["settings"])
    store = Store(folder, options, read_index(folder, write=False))
    columns = ("audio_digest", "path", "modality")
    digests, paths, modalities = (manifest.table[name].to_pylist() for name in columns)
    positions = store.rows(digests, modalities=modalities)
    present = np.flatnonzero(positions >= 0)
    chosen = np.random.default_rng(seed).permutation(present)[:sample]
    problems = []
    for number in sorted(chosen.tolist()):
        try:
            recording = read_recording(data / paths[number], options.sample_rate)
        except AudioError as error:
            problems.append(f"cannot recompute {paths[number]}: {error}")
            continue
        if recording.digest != digests[number]:
            problems.append(
                f"{paths[number]}: changed since the manifest was built; run 'ser manifest build'"
            )
            continue
        values, frames, _ = store.read([positions[number]])
        row = row_of_wave(recording.wave, options, modality=modalities[number])
        off = float((np.abs(values[0] - row.values) / np.maximum(1, np.abs(row.values))).max())
        if int(frames[0]) != row.frames or not off <= TOLERANCE:  # also where it is not a number
            problems.append(
                f"{paths[number]}: recomputed values differ by {off:.2g}; delete {folder} and build it"
            )
    return len(chosen), problems


def repair(report: VerifyReport) -> int:
    """Set damaged shards aside, so that the next build computes their recordings again.

    Raises:
        StoreError: a build works on one of them.
    """
    for path in report.damaged:
        with shard_range(path.parent, shard_number(path), shard_number(path) + 1):
            path.rename(path.with_suffix(".h5.damaged"))
    return len(report.damaged)


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


def garbage(cache: Path, manifest: "Manifest | None") -> list[Garbage]:
    """List what no command can use any more; deletes nothing.

    Args:
        cache: folder of all stores.
        manifest: rows of recordings it does not name are listed; None leaves them alone, and so
            does a manifest that was built with ``--limit``.
    """
    found: list[Garbage] = []
    whole = manifest is not None and not partial(manifest)
    digests = frozenset(manifest.table["audio_digest"].to_pylist()) if manifest and whole else None
    for folder in stores(cache):
        described = describe(folder)
        old = [] if described is None else outdated(described)
        if old:
            size = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
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
    for path in sorted(folder.iterdir()):
        age = now - path.stat().st_mtime
        if path.name.endswith(TEMPORARY_SUFFIX) and age > _PARTIAL_AGE_S:
            yield Garbage(path, "left by an interrupted build", path.stat().st_size)
        elif path.name.endswith(".damaged"):
            yield Garbage(path, "damaged shard that was set aside", path.stat().st_size)


def _foreign(folder: Path, digests: frozenset[str]) -> Iterator[Garbage]:
    index = read_index(folder, write=False)
    held = index.table.group_by("shard").aggregate([("audio_digest", "count")]).to_pydict()
    counts = dict(zip(held["shard"], held["audio_digest_count"], strict=True))
    by_shard: dict[int, set[str]] = {}
    for digest, shard in zip(
        index.table["audio_digest"].to_pylist(), index.table["shard"].to_pylist(), strict=True
    ):
        if digest not in digests:
            by_shard.setdefault(shard, set()).add(digest)
    for shard, rows in sorted(by_shard.items()):
        path = shard_path(folder, shard)
        size = round(path.stat().st_size * len(rows) / counts[shard])
        yield Garbage(path, f"{len(rows)} rows of recordings not in the manifest", size, frozenset(rows))


def collect(found: list[Garbage]) -> int:
    """Take away what :func:`garbage` listed; returns the bytes freed.

    Raises:
        StoreError: a build works on the store; nothing of it is taken then.
    """
    for item in found:
        folder = item.path if item.path.is_dir() else item.path.parent
        with shard_range(folder, 0, EVERY_SHARD):
            _take_away(item)
    return sum(item.size_bytes for item in found)


def _take_away(item: Garbage) -> None:
    if item.path.is_dir():
        for path in item.path.iterdir():
            path.unlink()
        item.path.rmdir()
    elif item.rows:
        _drop_rows(item.path, item.rows)
    else:
        item.path.unlink(missing_ok=True)


def _drop_rows(path: Path, digests: frozenset[str]) -> None:
    rows = read_rows(path)
    described = describe(path.parent)
    keep = [number for number, key in enumerate(rows.digests) if key.decode() not in digests]
    failed = tuple(item for item in rows.failed if item[0] not in digests)
    if described is None or not (keep or failed):
        path.unlink()
    else:
        layout = layout_of(options_of(described["kind"], described["settings"]))
        kept = rows.take(keep, failed)
        write_shard(path, kept, layout=layout, name=fingerprint(described), described=described)
