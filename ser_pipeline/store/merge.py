"""Bring shards that were built on several machines into one cache."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py

from ser_pipeline.atomic import write_atomically
from ser_pipeline.errors import StoreCorrupt, StoreError
from ser_pipeline.store.identity import fingerprint
from ser_pipeline.store.index import read_index
from ser_pipeline.store.lock import EVERY_SHARD, shard_range
from ser_pipeline.store.plan import Key
from ser_pipeline.store.shard import read_keys, read_rows, shard_number, shard_path
from ser_pipeline.store.status import stores


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


def merge_caches(cache: Path, others: Sequence[Path]) -> list[Merged]:
    """Copy whole shards of other caches in, and make every index anew.

    A shard is read whole and checked before it is copied. It keeps its number where that is
    free, and takes the next free one where it is not; nothing that stands here is overwritten.

    Args:
        cache: folder of all stores, to copy into.
        others: folders of the same form; none only makes the indexes anew.

    Raises:
        StoreError: a folder that is no cache, or a build works on a store.
    """
    for other in others:
        if not any(stores(other)):
            raise StoreError(f"{other}: holds no store; pass the folder that holds 'mels' or 'features'")
        if other.resolve() == cache.resolve():
            raise StoreError(f"{other}: is the cache to merge into; pass the other ones")
    sources: dict[Path, list[Path]] = {folder.relative_to(cache): [] for folder in stores(cache)}
    for other in others:
        for folder in stores(other):
            sources.setdefault(folder.relative_to(other), []).append(folder)
    return [_merge(cache / name, found) for name, found in sorted(sources.items())]


def _merge(folder: Path, sources: Sequence[Path]) -> Merged:
    with shard_range(folder, 0, EVERY_SHARD):
        copied, known, refused = 0, 0, []
        here = read_index(folder)
        keys = set(here.keys())
        failed = set(here.failures())
        for path in (path for source in sources for path in sorted(source.glob("shard-*.h5"))):
            try:
                theirs, bad = _checked(path, folder)
            except StoreCorrupt as error:
                refused.append(str(error))
                continue
            if theirs <= keys and bad <= failed | {digest for digest, _, _ in keys}:
                known += 1
                continue
            _copy(path, folder)
            keys |= theirs
            failed |= bad
            copied += 1
        index = read_index(folder)
    good = index.table.num_rows - len(index.failures())
    return Merged(folder, good, copied, known, (*refused, *index.damaged))


def _checked(path: Path, folder: Path) -> tuple[frozenset[Key], set[str]]:
    """Keys of a whole shard and its failed digests.

    Raises:
        StoreCorrupt: its bytes are not those that were written, or it is of another store.
    """
    rows = read_rows(path)
    with h5py.File(path, "r") as file:
        said = str(file.attrs["fingerprint"])
    if not said == folder.name == fingerprint(read_keys(path).described):
        raise StoreCorrupt(
            f"{path}: made with other settings or library versions than {folder.name}; left out"
        )
    return rows.keys(), {key for key, _ in rows.failed}


def _copy(path: Path, folder: Path) -> None:
    target = folder / path.name
    if target.exists():
        taken = [shard_number(other) for other in folder.glob("shard-*.h5")]
        target = shard_path(folder, max(taken) + 1)
    with write_atomically(target) as part:
        shutil.copyfile(path, part)
        if os.path.lexists(target):
            raise StoreError(f"{target}: appeared while shards were copied; run the same command again")
