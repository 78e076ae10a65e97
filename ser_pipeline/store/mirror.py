"""Stores at addresses: shards that are read are fetched whole, to a folder of this machine of bounded size.

That folder has the files of the stores, but for shards that nobody has read or that made room for others, and
``listing.json``, which says what there is at the address. A shard is checked row by row before it gets its
name. A store is built in a folder of its own and uploaded shard by shard, its index last.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ser_pipeline.atomic import lock_file, write_atomically
from ser_pipeline.errors import SettingsError, StoreCorrupt, StoreError, StoreMissing
from ser_pipeline.remote.addresses import State, address_of, shown
from ser_pipeline.remote.objects import listed_at, put_file
from ser_pipeline.remote.opening import fetch, state_at
from ser_pipeline.store.plan import one_shard
from ser_pipeline.store.shard import read_rows, shard_number, shard_path

FOLDER: Final = "SER_REMOTE_CACHE"
LIMIT: Final = "SER_REMOTE_CACHE_GIB"
USUAL_GIB: Final = 20.0

LISTING: Final = "listing.json"
"""What there is at the address of a cache: the address, and path -> state."""

_LOCKS: Final = (".lock", ".partial", ".damaged")


@dataclass(frozen=True)
class Mirror:
    """A folder of a store that lies at an address.

    Attributes:
        folder: of this machine.
        address: of the store.
        files: path in the store -> state, as listed when the command began.
    """

    folder: Path
    address: str
    files: dict[str, State]

    @classmethod
    def of(cls, folder: Path) -> "Mirror | None":
        """What is known of the folder of a store; None where it is not a mirror."""
        cache = folder.parent.parent
        try:
            told = json.loads((cache / LISTING).read_bytes())
        except (OSError, ValueError):
            return None
        below = f"{folder.parent.name}/{folder.name}/"
        files = {
            name.removeprefix(below): State(*state)
            for name, state in told["files"].items()
            if name.startswith(below)
        }
        return cls(folder, f"{told['address']}/{below.rstrip('/')}", files)

    @cached_property
    def shards(self) -> dict[int, str]:
        """Number of each shard -> its path in the store."""
        names = [name for name in self.files if name.endswith(".h5")]
        return {shard_number(Path(name)): name for name in names if Path(name).stem[-5:].isdecimal()}

    def size(self, number: int) -> int:
        """Bytes of a shard."""
        return self.files[self.shards[number]].size if number in self.shards else 0

    @property
    def sizes(self) -> dict[str, int]:
        """Name of each shard -> its size in bytes."""
        return {Path(name).name: self.files[name].size for name in self.shards.values()}

    def shard(self, number: int) -> Path:
        """A shard on this machine, fetched where it is not there.

        Raises:
            StoreError: it cannot be fetched, or has changed.
            StoreCorrupt: it is damaged.
        """
        name = self.shards.get(number)
        if name is None:
            return shard_path(self.folder, number)
        path = self.folder / name
        with one_shard(self.folder, number):
            if not path.exists():
                make_room(self.files[name].size, but=path)
                self._fetch(name, path)
            os.utime(path)  # the one that was used last goes last
        return path

    def _fetch(self, name: str, path: Path) -> None:
        source = f"{self.address}/{name}"
        with write_atomically(path) as part:
            try:
                fetch(Path(source), part)
            except OSError as error:
                raise StoreError(f"{source}: cannot be fetched: {error.strerror or error}") from None
            listed, now = self.files[name], state_at(source)
            changed = source.startswith("s3://") and now != listed
            if changed or part.stat().st_size != listed.size:
                raise StoreError(f"{source}: has changed since it was listed; run the command again")
            try:
                read_rows(part)
            except StoreCorrupt as error:
                what = str(error).partition("damaged: ")[2].partition(";")[0]
                raise StoreCorrupt(f"{source}: damaged: {what}; upload it again") from None


def local_cache(cache: Path) -> Path:
    """The folder of a cache, which for an address is made, with all that is small of its stores.

    Args:
        cache: folder of all stores, or an address.

    Raises:
        StoreMissing: there is nothing at the address.
        StoreError: it cannot be listed, or a file cannot be fetched.
    """
    address = address_of(cache)
    if address is None:
        return cache
    folder = _own("stores", address)
    files = _listed(cache)
    if not files:
        raise StoreMissing(f"{address}: holds no store; build one with 'ser cache mels --cache {address}'")
    with lock_file(folder / "listing.lock", None):
        old = _known(folder)
        for name, state in files.items():
            if old.get(name) != state and (folder / name).exists():
                (folder / name).unlink()
            if name.endswith(".parquet") and name.count("/") == 2 and not (folder / name).exists():
                with write_atomically(folder / name) as part:
                    _copy(cache / name, part)
        with write_atomically(folder / LISTING) as part:
            part.write_bytes(json.dumps({"address": address.rstrip("/"), "files": files}).encode())
    return folder


@contextmanager
def uploaded(cache: Path, store: Path) -> Iterator[Path]:
    """A folder to build a store in that lies at an address; what is new in it is uploaded at the end.

    Args:
        cache: address of all stores.
        store: of the one to build, relative to the cache.

    Raises:
        StoreError: another command builds it here, something cannot be fetched, or another machine has
            changed the store meanwhile.
        SerError: it cannot be written to.
    """
    address = shown(cache).rstrip("/")
    folder = _own("builds", address)
    taken = StoreError(f"{address}: another command on this machine is building there; wait for it")
    with lock_file(folder / "build.lock", taken):
        before = {name: state for name, state in _listed(cache).items() if Path(name).is_relative_to(store)}
        own: dict[str, list[int]] = {}
        for name in before:
            if name.endswith((".h5", ".parquet")) and not (folder / name).exists():
                with write_atomically(folder / name) as part:
                    _copy(cache / name, part)
                own[name] = _stamp(folder / name)
        yield folder
        _upload(cache, folder, store, before, own)
        shutil.rmtree(folder / store)


def _upload(
    cache: Path, folder: Path, store: Path, before: dict[str, State], own: dict[str, list[int]]
) -> None:
    files = [path for path in (folder / store).rglob("*") if path.is_file() and path.suffix not in _LOCKS]
    now = {name: state for name, state in _listed(cache).items() if Path(name).is_relative_to(store)}
    if now != before:
        raise StoreError(
            f"{shown(cache / store)}: another machine has changed it meanwhile; run the command again, which "
            "continues with what both have made"
        )
    for path in sorted(files, key=lambda each: (each.name == "index.parquet", each.suffix != ".h5", each)):
        name = path.relative_to(folder).as_posix()
        if own.get(name) != _stamp(path):
            put_file(path, cache / name)


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def make_room(size: int, *, but: Path) -> None:
    """Delete the shards that were not read for longest, until another one fits into the limit.

    Args:
        size: of the one that is fetched, in bytes.
        but: the path that it will have.

    Raises:
        SettingsError: the limit is not a number.
    """
    root = _root()
    limit = limit_bytes()
    with lock_file(root / "room.lock", None):
        there = []
        for path in (root / "stores").rglob("shard-*.h5"):
            with suppress(FileNotFoundError):
                status = path.stat()
                there.append((status.st_mtime_ns, status.st_size, path))
        total = size + sum(each[1] for each in there)
        for _, held, path in sorted(there):
            if total <= limit:
                break
            if path != but:
                with suppress(OSError):  # Windows keeps what is open
                    path.unlink()
                    total -= held


def limit_bytes() -> float:
    """Bytes of shards that are kept on this machine at most.

    Raises:
        SettingsError: the limit is not a number.
    """
    text = os.environ.get(LIMIT) or str(USUAL_GIB)
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise SettingsError(f"{LIMIT}={text}: must be a number of GiB above 0")
    return limit * (1 << 30)


def _root() -> Path:
    own = os.environ.get(FOLDER)
    if own:
        return Path(own).absolute()
    cache = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    if cache.startswith("~"):
        raise SettingsError(f"there is no home folder to keep shards in; name a folder for them in {FOLDER}")
    return Path(cache) / "ser" / "remote"


def _own(kind: str, address: str) -> Path:
    """The folder of this machine that belongs to an address."""
    return _root() / kind / hashlib.blake2b(address.rstrip("/").encode(), digest_size=8).hexdigest()


def _listed(cache: Path) -> dict[str, State]:
    try:
        return listed_at(cache)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"{shown(cache)}: cannot be listed: {error.strerror or error}") from None


def _known(folder: Path) -> dict[str, State]:
    try:
        told = json.loads((folder / LISTING).read_bytes())["files"]
    except (OSError, ValueError):
        return {}
    return {name: State(*state) for name, state in told.items()}


def _copy(source: Path, target: Path) -> None:
    try:
        fetch(source, target)
    except OSError as error:
        raise StoreError(f"{shown(source)}: cannot be fetched: {error.strerror or error}") from None
