"""Objects in stores that fsspec reaches, which finds the credentials itself.

An object is fetched whole in one request where it is small, and in ranges where it is not. What fails for
the moment is tried again.
"""

import hashlib
import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EACCES, EIO, EISDIR, ENOENT
from pathlib import Path
from typing import Any, Final, TypeVar

from ser_pipeline.errors import SerError, SettingsError, remark, some
from ser_pipeline.remote.addresses import WHOLE_BYTES, State, address_of

T = TypeVar("T")

WAITS_S: tuple[float, ...] = (0.5, 2.0)
"""Seconds to wait before what failed for the moment is tried again."""

EXTRA: Final = "pip install 'ser-pipeline[remote]'"

_BLOCKS: Final = (1 << 18, 8 << 20)
"""Bytes that are fetched at least and at most where an object is read in ranges."""

_OUTSIDE: Final = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)", re.DOTALL)
"""A path that leads out of the folder it is joined to, on one system or another."""

_CREDENTIALS: Final = "access is denied; check the credentials that fsspec finds for it (docs/remote.md)"


class Ranged(io.RawIOBase):
    """A part of something that gives ranges of bytes; what it is fetched by may fail at any time.

    A decoder that calls :meth:`readinto` cannot pass an error on. It is told that there are no more bytes,
    and the error is raised where the file is closed.

    Args:
        fetch: gives the bytes from a place up to another.
        state: of the object.
        now: gives its state again.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], state: State, now: Callable[[], State]) -> None:
        super().__init__()
        self.state, self.now = state, now
        self.failed: OSError | None = None
        self._fetch = fetch
        self._place = self._start = 0
        self._block = b""
        self._least = _BLOCKS[0]

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; never before the start."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.state.size}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def tell(self) -> int:
        """Place of the next byte."""
        return self._place

    def readinto(self, part: Any) -> int:
        """Fill ``part`` as far as there are bytes, and say how many there were."""
        view = memoryview(part).cast("B")
        done = 0
        while done < len(view) and self._place < self.state.size and self.failed is None:
            offset = self._place - self._start
            if not 0 <= offset < len(self._block):
                try:
                    self._refill(len(view) - done)
                except OSError as error:
                    self.failed = error
                    return 0
                offset = 0
            piece = self._block[offset : offset + len(view) - done]
            view[done : done + len(piece)] = piece
            done += len(piece)
            self._place += len(piece)
        return done

    def _refill(self, wanted: int) -> None:
        goes_on = self._place == self._start + len(self._block)
        self._least = min(2 * self._least, _BLOCKS[1]) if goes_on else _BLOCKS[0]
        stop = min(self.state.size, self._place + min(max(wanted, self._least), _BLOCKS[1]))
        self._block, self._start = self._fetch(self._place, stop), self._place


class Held(io.BytesIO):
    """The bytes of an object that was fetched whole."""

    def __init__(self, data: bytes, state: State) -> None:
        super().__init__(data)
        self.state, self.failed = state, None

    def now(self) -> State:
        """What was fetched at once cannot change meanwhile."""
        return self.state


def listed_at(folder: Path) -> dict[str, State]:
    """Every object below an address, by its path from there, with its state; sorted.

    What a listing names outside of the address, as a page of the web may, is left out with a remark: such a
    path, joined to a folder of this machine, would lead out of it.

    Raises:
        OSError: it cannot be listed.
        SettingsError: a library for such addresses is not installed.
    """
    store, path = _store(address_of(folder) or "")
    path = path.rstrip("/")
    with _told():
        store.invalidate_cache()
        found = _again(lambda: store.find(path, detail=True))
        if not found and path.startswith("http"):  # a listing of the web hides that nothing was reached
            _again(lambda: store.info(path))
    below = {name.removeprefix(path).lstrip("/"): _state_in(info) for name, info in found.items()}
    below = {name: state for name, state in sorted(below.items()) if name and not name.endswith("/")}
    outside = [repr(name) for name in below if _OUTSIDE.match(name)]
    if outside:
        remark(f"{address_of(folder)}: left out {some(outside, show=3)}, which lie outside of it")
    return {name: state for name, state in below.items() if not _OUTSIDE.match(name)}


def put_file(source: Path, target: Path) -> None:
    """Upload a file whole.

    Raises:
        SerError: it cannot be written there.
    """
    address = address_of(target) or ""
    store, path = _store(address)
    try:
        with _told():
            _again(lambda: store.put_file(str(source), path))
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "nothing can be written to such an address"
        raise SerError(f"{address}: cannot be written: {reason}") from None


def open_object(address: str, *, whole: bool) -> "Ranged | Held":
    """Open an object; see :func:`ser_pipeline.remote.opening.opened_bytes`."""
    state = object_state(address)
    store, path = _store(address)
    if whole and state.size <= WHOLE_BYTES:
        return Held(_range(store, path, 0, state.size, state.size), state)
    return Ranged(
        lambda start, stop: _range(store, path, start, stop, state.size),
        state,
        lambda: object_state(address),
    )


def object_state(address: str) -> State:
    """State of an object.

    Raises:
        OSError: there is none, or it cannot be looked at.
    """
    store, path = _store(address)
    with _told():
        info = _again(lambda: _fresh(store, path))
    if info.get("type") == "directory":
        raise IsADirectoryError(EISDIR, "is a folder, not a file")
    return _state_in(info)


def object_bytes(address: str, start: int, stop: int) -> bytes:
    """The bytes of an object from a place up to another.

    Raises:
        OSError: they cannot be had.
    """
    return _range(*_store(address), start, stop, -1)


def _fresh(store: Any, path: str) -> dict[str, Any]:
    store.invalidate_cache(path)
    found: dict[str, Any] = store.info(path)
    if found.get("size") is None:
        found["size"] = len(store.cat_file(path))
    return found


def _state_in(info: dict[str, Any]) -> State:
    mark = next(
        (info[key] for key in ("ETag", "etag", "md5Hash", "content_md5", "blob_id") if info.get(key)), ""
    )
    mark = mark or next(
        (info[key] for key in ("LastModified", "last_modified", "mtime") if info.get(key)), ""
    )
    number = int.from_bytes(hashlib.blake2b(str(mark).encode(), digest_size=8).digest(), "big") >> 1
    return State(int(info.get("size") or 0), number, 0)


def _range(store: Any, path: str, start: int, stop: int, size: int) -> bytes:
    def fetch() -> bytes:
        if stop <= start:
            return b""
        every = start == 0 and stop == size
        found: bytes = store.cat_file(path) if every else store.cat_file(path, start=start, end=stop)
        if len(found) > stop - start:  # all of it: the server gives no ranges
            found = found[start:stop]
        if len(found) != stop - start:
            raise OSError(EIO, f"{len(found)} of {stop - start} bytes came")
        return found

    with _told():
        return _again(fetch)


def _store(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    try:
        import fsspec
    except ImportError:
        raise SettingsError(f"{address}: takes fsspec, which is not installed; run: {EXTRA}") from None
    try:
        store, path = fsspec.core.url_to_fs(address)
    except ImportError:
        raise SettingsError(f"{address}: takes a library that is not installed; run: {EXTRA}") from None
    except ValueError as error:
        raise SettingsError(f"{address}: is not an address ({error})") from None
    return store, path


def _again(action: Callable[[], T]) -> T:
    """Do something that may fail for the moment, more than once if need be."""
    for wait in WAITS_S:
        try:
            return action()
        except _failures() as error:
            if _lasting(error):
                raise
        time.sleep(wait)
    return action()


def _lasting(error: BaseException) -> str:
    """Why trying again would not help, in a word or two; "" where it may."""
    status = _status(error)
    if status in (401, 403) or isinstance(error, PermissionError) or "Credentials" in type(error).__name__:
        return "denied"
    if isinstance(error, IsADirectoryError):
        return "a folder"
    if status in (404, 410) or (
        status is None and isinstance(error, FileNotFoundError) and error.__cause__ is None
    ):
        return "absent"
    return "refused" if status is not None and status < 500 and status not in (408, 416, 429) else ""


def _failures() -> tuple[type[BaseException], ...]:
    """How the libraries behind fsspec say that something failed."""
    names = {
        "aiohttp": "ClientError",
        "botocore.exceptions": "BotoCoreError",
        "azure.core.exceptions": "AzureError",
        "google.auth.exceptions": "GoogleAuthError",
    }
    return (
        OSError,
        *(getattr(sys.modules[name], kind) for name, kind in names.items() if name in sys.modules),
    )


def _status(error: BaseException) -> int | None:
    """Status of HTTP that an error or what led to it tells."""
    cause: BaseException | None = error
    while cause is not None:
        answer = getattr(cause, "response", None)
        told = answer.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(answer, dict) else None
        marks = (getattr(cause, "status", None), getattr(cause, "status_code", None))
        for found in (*marks, getattr(answer, "status_code", None), told):
            if isinstance(found, int):
                return found
        cause = cause.__cause__
    return None


@contextmanager
def _told() -> Iterator[None]:
    """Say in one sentence why an object cannot be had."""
    try:
        yield
    except _failures() as error:
        why = _lasting(error)
        if why == "absent":
            raise FileNotFoundError(ENOENT, "there is nothing at its address") from None
        if why == "a folder":
            raise IsADirectoryError(EISDIR, "is a folder, not a file") from None
        if why == "denied":
            raise PermissionError(EACCES, _CREDENTIALS) from None
        says = " ".join(str(getattr(error, "strerror", None) or error or type(error).__name__).split())
        raise OSError(EIO, f"the connection failed ({says[:200]})") from None
