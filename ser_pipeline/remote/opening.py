"""Open a file wherever it is: on this machine, in a store, or inside a tar, zip or Parquet file of either."""

import os
import shutil
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EINVAL, EIO, ENOENT
from functools import lru_cache, wraps
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final, NamedTuple, TypeVar

from ser_pipeline.atomic import is_plain
from ser_pipeline.remote.addresses import ABSENT, ARCHIVES, WHOLE_BYTES, State, address_of
from ser_pipeline.remote.objects import Held, Ranged, object_bytes, object_state, open_object

T = TypeVar("T")

MOST_MEMBERS: Final = 1 << 20
"""Entries of tables of contents that are kept, of tar and of zip files each: a few hundred megabytes."""

MOST_BYTES: Final = 1 << 28
"""Recordings out of Parquet that are kept, in bytes; of larger groups of rows the last two."""


def _kept(most: int, weight: Callable[[Any], int]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Keep what a function found lately, up to a weight; threads that want the same wait for the first."""

    def keeping(function: Callable[..., T]) -> Callable[..., T]:
        held: dict[Any, tuple[T, int]] = {}
        busy: dict[Any, Lock] = {}
        guard = Lock()

        @wraps(function)
        def found(*key: Any) -> T:
            with busy.setdefault(key, Lock()):
                try:
                    with guard:
                        if key in held:
                            held[key] = held.pop(key)  # now the latest
                            return held[key][0]
                    made = function(*key)
                    with guard:
                        held[key] = made, weight(made)
                        total = sum(each for _, each in held.values())
                        while len(held) > 2 and total > most:
                            total -= held.pop(next(iter(held)))[1]
                    return made
                finally:
                    busy.pop(key, None)

        return found

    return keeping


@contextmanager
def opened_bytes(place: Path, *, whole: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for reading, wherever it is.

    Args:
        place: of the file.
        whole: fetch an object at once where it is not large; else only the ranges that are asked for.

    Raises:
        OSError: it is not there, is not a file of bytes, or cannot be read; at the end of the block too.
        SettingsError: a library for such addresses is not installed.
    """
    address = address_of(place)
    if address is None:
        if "\0" in str(place) or not is_plain(place):
            raise OSError(EINVAL, "not a regular file")
        with place.open("rb") as file:
            yield file
        return
    found: Any = _opened(address, whole)
    try:
        yield found
    finally:
        if found.failed is not None:
            raise found.failed


def state_of(file: IO[bytes], *, now: bool = False) -> State:
    """State of an open file: as it was opened, of one of this machine and with ``now`` as it is now."""
    if isinstance(file, Ranged | Held):
        return file.now() if now else file.state
    status = os.fstat(file.fileno())
    return State(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def state_at(place: str) -> State:
    """State of a file; ``ABSENT`` where there is none or it cannot be looked at."""
    address = address_of(place)
    try:
        if address is None:
            status = os.stat(place)
            return State(status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        return _state(address)
    except (OSError, ValueError):  # the second of a name that no file can have
        return ABSENT


def fetch(place: Path, target: Path) -> None:
    """Copy a file whole to a path of this machine.

    Raises:
        OSError: it cannot be read, or the copy cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened_bytes(place) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, 8 << 20)


def _opened(address: str, whole: bool) -> Ranged | Held:
    if address.startswith("parquet://"):
        return _cell(address)
    return _member(address) if address.startswith(ARCHIVES) else open_object(address, whole=whole)


def _state(address: str) -> State:
    if not address.startswith(ARCHIVES):
        return object_state(address)
    whole = _there(address)
    if address.startswith("parquet://"):
        return whole
    return whole._replace(size=_place_in(address, whole).size)


def _there(address: str) -> State:
    """State of the archive that an address names."""
    outer = address.partition("::")[2]
    whole = _lately(outer, int(time.monotonic())) if address_of(outer) else state_at(outer)
    if whole == ABSENT:
        raise FileNotFoundError(ENOENT, f"{outer or 'its archive'} is not there or cannot be read")
    return whole


@lru_cache(maxsize=4096)
def _lately(outer: str, _second: int) -> State:
    """State of an archive in a store, which is asked for once a second and not once a recording."""
    return state_at(outer)


class _Place(NamedTuple):
    """Where a member lies in an archive: its data, or in a zip file its head, and the sizes of what it is."""

    start: int
    stored: int
    size: int
    method: int = -1


def _place_in(address: str, whole: State) -> _Place:
    kind, _, rest = address.partition("://")
    name, _, outer = rest.partition("::")
    members = _tar_members(outer, whole) if kind == "tar" else _zip_members(outer, whole)
    found = members.get(name.removeprefix("./").strip("/"))
    if found is None:
        raise FileNotFoundError(ENOENT, f"there is no {name!r} in {outer}")
    return found


@_kept(MOST_MEMBERS, len)
def _tar_members(outer: str, _whole: State) -> dict[str, _Place]:
    try:
        with opened_bytes(Path(outer), whole=False) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            return {
                each.name.removeprefix("./"): _Place(each.offset_data, each.size, each.size)
                for each in archive
                if each.isreg() and not each.issparse()
            }
    except tarfile.TarError:
        raise OSError(
            EINVAL, f"{outer} is not a tar archive, or a compressed one; recompress it as plain tar"
        ) from None


@_kept(MOST_MEMBERS, len)
def _zip_members(outer: str, _whole: State) -> dict[str, _Place]:
    try:
        with opened_bytes(Path(outer), whole=False) as file, zipfile.ZipFile(file) as archive:
            return {
                each.filename: _Place(
                    each.header_offset, each.compress_size, each.file_size, each.compress_type
                )
                for each in archive.infolist()
                if not each.is_dir() and not each.flag_bits & 1
            }
    except zipfile.BadZipFile:
        raise OSError(EINVAL, f"{outer} is not a zip archive") from None


def _member(address: str) -> Ranged | Held:
    whole, outer = _there(address), address.partition("::")[2]
    found = _place_in(address, whole)
    state = whole._replace(size=found.size)
    if found.method < 0:

        def fetch(start: int, stop: int) -> bytes:
            return _bytes_of(outer, found.start + start, found.start + stop)

        if state.size > WHOLE_BYTES:
            return Ranged(fetch, state, lambda: _state(address))
        return Held(fetch(0, state.size), state)
    head = _bytes_of(outer, found.start, found.start + 30)
    start = found.start + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    data = _bytes_of(outer, start, start + found.stored)
    if found.method == zipfile.ZIP_DEFLATED:
        try:
            data = zlib.decompressobj(-15).decompress(data, found.size)
        except zlib.error as error:
            raise OSError(EIO, f"{outer} is damaged ({error})") from None
    elif found.method != zipfile.ZIP_STORED:
        raise OSError(EINVAL, f"{outer} is compressed in a way that is not supported; use deflate or none")
    return Held(data, state)


def _bytes_of(place: str, start: int, stop: int) -> bytes:
    address = address_of(place)
    if address is not None and not address.startswith(ARCHIVES):
        return object_bytes(address, start, stop)
    with opened_bytes(Path(place), whole=False) as file:
        file.seek(start)
        found = file.read(stop - start)
    if len(found) != stop - start:
        raise OSError(EIO, f"{place} ends before what its table of contents names")
    return found


def _cell(address: str) -> Held:
    """A recording in a cell of a Parquet file, ``parquet://column/row::file``; rows count from 0."""
    cell, _, outer = address.removeprefix("parquet://").partition("::")
    column, _, row = cell.rpartition("/")
    if not column or not row.isdecimal() or not outer:
        raise OSError(
            EINVAL, "an address in a Parquet file is parquet://COLUMN/ROW::FILE, with rows from 0 on"
        )
    state, number = _there(address), int(row)
    for group, rows in enumerate(_groups(outer, state)):
        if number < rows:
            data = _column(outer, state, column, group)[number]
            if data is None:
                raise OSError(EINVAL, f"row {row} of {outer} holds no bytes in its column {column!r}")
            return Held(data, State(len(data), state.mtime_ns, state.ctime_ns))
        number -= rows
    raise FileNotFoundError(ENOENT, f"{outer} has no row {row}")


@contextmanager
def _parquet(outer: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opened_bytes(Path(outer), whole=False) as file:
            yield pq.ParquetFile(file)
    except pa.ArrowException as error:
        raise OSError(EINVAL, f"{outer} cannot be read as Parquet ({str(error).splitlines()[0]})") from None


@lru_cache(maxsize=4096)
def _groups(outer: str, _state: State) -> list[int]:
    with _parquet(outer) as file:
        meta = file.metadata
        return [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]


def holds_files(kind: Any) -> bool:
    """Whether a column of Parquet is of files, as of recordings in data sets of Hugging Face."""
    import pyarrow as pa

    place = kind.get_field_index("bytes") if pa.types.is_struct(kind) else -1
    return place >= 0 and kind.field(place).type in (pa.binary(), pa.large_binary(), pa.null())


@_kept(MOST_BYTES, lambda cells: sum(len(cell or b"") for cell in cells))
def _column(outer: str, _state: State, column: str, group: int) -> list[bytes | None]:
    """Recordings of a group of rows, which lie side by side; the next one is usually of the same group."""
    import pyarrow as pa

    with _parquet(outer) as file:
        if column not in file.schema_arrow.names:
            raise OSError(
                EINVAL, f"{outer} has no column {column!r}; it has {', '.join(file.schema_arrow.names)}"
            )
        cells = file.read_row_group(group, columns=[column])[column].combine_chunks()
    if holds_files(cells.type):
        cells = cells.field("bytes")
    if not (pa.types.is_binary(cells.type) or pa.types.is_large_binary(cells.type)):
        raise OSError(EINVAL, f"column {column!r} of {outer} holds {cells.type}, not recordings")
    found: list[bytes | None] = cells.to_pylist()
    return found
