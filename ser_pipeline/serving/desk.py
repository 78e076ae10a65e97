"""A desk that takes recordings from many people at once: bounded in size, length and queue."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import soundfile

from ser_pipeline.audio.memory_file import MemoryFile
from ser_pipeline.errors import SerError
from ser_pipeline.serving.model import Model

T = TypeVar("T")

DENSEST: Final = 768_000
"""Samples a second over all channels: 192 kHz in four, or 96 kHz in eight. More would fill memory."""


class TooMuchError(SerError):
    """A recording is larger or longer than is taken."""


class BusyError(SerError):
    """As many recordings wait as may."""


class NoModelError(SerError):
    """There is nothing to predict with."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken at most.

    Attributes:
        megabytes: of one recording.
        seconds: of one recording.
        waiting: recordings that wait or are worked on.
        workers: recordings that are worked on at once.
    """

    megabytes: float = 20.0
    seconds: float = 600.0
    waiting: int = 64
    workers: int = 1

    @property
    def size(self) -> int:
        """Bytes of one recording."""
        return round(self.megabytes * 1_000_000)


@dataclass(frozen=True, slots=True)
class Header:
    """What a recording says of itself, before anything is decoded.

    Attributes:
        seconds: its length.
        samples_a_second: over all channels.
    """

    seconds: float
    samples_a_second: int


def read_header(content: bytes) -> Header | None:
    """Look at a recording's header; None where libsndfile makes nothing of it."""
    try:
        with soundfile.SoundFile(MemoryFile(memoryview(content))) as file:
            rate = max(1, int(file.samplerate))
            return Header(file.frames / rate, rate * file.channels)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError):
        return None


class Desk:
    """Works on recordings in a few threads, and refuses what would wait too long.

    Args:
        model: to predict with; None where there is none, and ``missing`` then says how to get one.
        limits: what is taken.
        missing: sentence for who asks without a model.
    """

    def __init__(self, model: Model | None, limits: Limits, missing: str = "") -> None:
        self._model = model
        self.limits = limits
        self.missing = missing
        self._threads = ThreadPoolExecutor(limits.workers, thread_name_prefix="predict")
        self._lock = threading.Lock()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Recordings that wait or are worked on."""
        return self._waiting

    @property
    def model(self) -> Model:
        """What predicts.

        Raises:
            NoModelError: nothing does.
        """
        if self._model is None:
            raise NoModelError(self.missing)
        return self._model

    @property
    def has_model(self) -> bool:
        """Whether there is something to predict with."""
        return self._model is not None

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Queue a piece of work.

        Raises:
            BusyError: the queue is full.
        """
        with self._lock:
            if self._waiting >= self.limits.waiting:
                raise BusyError(f"{self._waiting} recordings are waiting; try again in a moment")
            self._waiting += 1
        try:
            future = self._threads.submit(work)
        except RuntimeError:
            self._done(None)
            raise BusyError("the server is stopping") from None
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: object) -> None:
        with self._lock:
            self._waiting -= 1

    def check(self, content: bytes) -> None:
        """Refuse a recording that is too large or too long, before any of it is decoded.

        Raises:
            TooMuchError: it is.
        """
        if len(content) > self.limits.size:
            raise TooMuchError(f"larger than {self.limits.megabytes:g} MB; send a shorter piece")
        found = read_header(content)
        if found is None:
            return  # decoding says in words what is wrong with it
        if found.seconds > self.limits.seconds:
            raise TooMuchError(f"{found.seconds:.0f} s long; up to {self.limits.seconds:.0f} s are taken")
        if found.samples_a_second > DENSEST:
            raise TooMuchError(
                f"{found.samples_a_second:,} samples a second over all channels; up to {DENSEST:,} are taken"
            )

    def close(self) -> None:
        """Finish what is being worked on, and take no more."""
        self._threads.shutdown(wait=True, cancel_futures=True)
