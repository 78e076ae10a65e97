"""What of a cache no command can use any more: listed first, then taken away."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser_pipeline.atomic import TEMPORARY_SUFFIX
from ser_pipeline.front_end import layout_of
from ser_pipeline.settings import options_of
from ser_pipeline.store.build import describe
from ser_pipeline.store.identity import fingerprint
from ser_pipeline.store.index import read_index
from ser_pipeline.store.lock import EVERY_SHARD, shard_range
from ser_pipeline.store.shard import read_rows, shard_path, write_shard
from ser_pipeline.store.status import outdated, stores

if TYPE_CHECKING:
    from ser_pipeline.manifest import Manifest

_PARTIAL_AGE_S = 3600


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
