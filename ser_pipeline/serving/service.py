"""A model shared by many who ask at once: what they may send, how many may wait, one works at a time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ser_pipeline.errors import AudioError, AudioTooLarge, ServerBusy
from ser_pipeline.options import Limits
from ser_pipeline.serving.model import Model

T = TypeVar("T")

MOST_ENROLLED: Final = 20
"""Other recordings of the speaker that a form may hold."""

MOST_FIELDS: Final = 16
LONGEST_FIELD: Final = 256
"""Fields without a file that a form may hold, and bytes of each."""

HELD: Final = 8
"""Bytes of all recordings that wait together, as a multiple of the largest one allowed."""


class BadBody(AudioError):
    """A request whose body holds no recording."""

    code = "not_arrived"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request holds.

    Attributes:
        recording: to predict on.
        enrol: other recordings of the person who speaks.
        fields: name and value of what else a form holds.
    """

    recording: bytes
    enrol: tuple[bytes, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


class Place:
    """One request's place among those that wait, and the bytes it has sent.

    Args:
        service: whose place it is.
    """

    def __init__(self, service: "Service") -> None:
        self._service = service
        self.size = 0

    @property
    def most(self) -> int:
        """Bytes one recording may have."""
        return self._service.limits.max_bytes

    def grow(self, size: int) -> None:
        """Account for bytes before they are kept.

        Raises:
            AudioTooLarge: it has sent more than one recording may have.
            ServerBusy: all that wait hold too much together.
        """
        if self.size + size > self.most:
            raise AudioTooLarge(f"more than {self.most / 1e6:g} MB; send a shorter recording")
        self._service.hold(size)
        self.size += size


class Service:
    """Predicts for many at once, in the order in which they asked.

    Args:
        model: predicts on one recording at a time.
        limits: how many may wait, and how much they may send.
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self.model = model
        self.limits = limits
        self.waiting = 0
        self._held = 0
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ser-predict")

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Take a place among those that wait, until the block is left.

        Raises:
            ServerBusy: there is none.
        """
        with self._lock:
            if self.waiting >= self.limits.waiting:
                raise ServerBusy(f"the queue is full ({self.waiting} waiting); try again in a moment")
            self.waiting += 1
        place = Place(self)
        try:
            yield place
        finally:
            with self._lock:
                self.waiting -= 1
                self._held -= place.size

    def hold(self, size: int) -> None:
        """Account for bytes that are kept in memory.

        Raises:
            ServerBusy: too much is kept already.
        """
        with self._lock:
            if self._held + size > HELD * self.limits.max_bytes:
                raise ServerBusy("the waiting recordings fill the memory set aside; try again in a moment")
            self._held += size

    def start(self, work: Callable[[Model], T]) -> "Future[T]":
        """Hand work to the one thread that predicts.

        Raises:
            ServerBusy: the server is stopping.
        """
        try:
            return self._worker.submit(work, self.model)
        except RuntimeError:
            raise ServerBusy("the server is stopping; ask another one") from None

    def stop(self) -> None:
        """Finish what has begun and take nothing more."""
        self._worker.shutdown(wait=True, cancel_futures=True)


async def read_recordings(request: Request, place: "Place", seconds: float) -> Sent:
    """Read the recordings of a request: the files of a form, or the whole body.

    Args:
        request: whose body was not read yet.
        place: counts the bytes.
        seconds: within which all of it must have arrived.

    Raises:
        AudioTooLarge: more bytes than allowed; the rest is not read.
        BadBody: no form that can be read, no file in it, or one that came too slowly.
        ServerBusy: others that wait hold too much.
    """
    _check_announced(request, place)
    try:
        async with asyncio.timeout(seconds):
            body = await _whole(request, place)
    except TimeoutError:
        raise BadBody(f"the recording had not arrived after {seconds:g} s; send a shorter one") from None
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _files_of_form(request, body)
    return Sent(body)


def _check_announced(request: Request, place: "Place") -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > place.most:
        raise AudioTooLarge(f"{int(announced) / 1e6:.1f} MB; at most {place.most / 1e6:g} MB are taken")


async def _whole(request: Request, place: "Place") -> bytes:
    body = bytearray()
    async for piece in request.stream():
        place.grow(len(piece))
        body += piece
    return bytes(body)


async def _files_of_form(request: Request, body: bytes) -> Sent:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers,
        pieces(),
        max_files=1 + MOST_ENROLLED,
        max_fields=MOST_FIELDS,
        max_part_size=LONGEST_FIELD,
    )
    parser.spool_max_size = len(body) + 1  # never on disk
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:
        raise BadBody(f"the form cannot be read: {getattr(error, 'message', error)}") from None
    try:
        enrol = form.getlist("enrol")
        if not all(isinstance(each, UploadFile) for each in enrol):
            raise BadBody("enrol: holds no file; send recordings, as 'curl -F enrol=@other.wav' does")
        others = [(name, value) for name, value in form.multi_items() if name != "enrol"]
        files = [value for _, value in others if isinstance(value, UploadFile)]
        odd = [name for name, value in others if isinstance(value, UploadFile) and name != "file"]
        if odd:
            raise BadBody(f"{odd[0][:40]}: no file of this name is taken; send the recording as 'file'")
        if not files:
            raise BadBody("the form holds no file; send one, as 'curl -F file=@a.wav' does")
        if len(files) > 1:
            raise BadBody("the form holds more than one file; only 'enrol' may be repeated")
        known = [await each.read() for each in enrol if isinstance(each, UploadFile)]
        fields = [(name, value) for name, value in others if isinstance(value, str)]
        return Sent(await files[0].read(), tuple(known), tuple(fields))
    finally:
        await form.close()
