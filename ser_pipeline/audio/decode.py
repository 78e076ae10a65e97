"""Decode a recording to mono float32 at one sample rate, say what is wrong with it, and cut an excerpt."""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import soundfile
import soxr

from ser_pipeline.arrays import Float32s, as_samples
from ser_pipeline.audio.ffmpeg import decoder
from ser_pipeline.audio.mono import usable
from ser_pipeline.audio.sound import Sound, opened
from ser_pipeline.dsp.buffers import buffer
from ser_pipeline.errors import AudioError, AudioMissing
from ser_pipeline.records import DIGEST_BYTES, WINDOW_S, Segment, digest_as_decoded, part_of
from ser_pipeline.remote.addresses import WHOLE_BYTES, name_of
from ser_pipeline.remote.opening import opened_bytes, state_of

T = TypeVar("T")

WHOLE = Segment(0.0)
"""All of a recording."""

AHEAD_S: Final = 600.0
"""Seconds beyond a segment that are decoded at most for those that follow it, where ffmpeg decodes."""

EXCERPT_S: Final = 6.0
"""Seconds that are taken at most."""

EXCERPT_RATE: Final = 22_050
"""Sample rate of an excerpt, in Hz."""


class MemoryFile:
    """What libsndfile asks of a file: read into, seek, tell. Copies nothing beforehand.

    Examples:
        >>> file, part = MemoryFile(memoryview(b"RIFFdata")), bytearray(4)
        >>> file.seek(-4, os.SEEK_END), file.readinto(part), part
        (4, 4, bytearray(b'data'))
        >>> file.readinto(part)
        0
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._place = 0

    def readinto(self, part: memoryview) -> int:
        """Fill ``part`` as far as there are bytes, and say how many there were."""
        found = self._data[self._place : self._place + len(part)]
        part[: len(found)] = found
        self._place += len(found)
        return len(found)

    def read(self, count: int = -1) -> bytes:
        """The next ``count`` bytes, all that are left if negative."""
        stop = len(self._data) if count < 0 else self._place + count
        found = self._data[self._place : stop].tobytes()
        self._place += len(found)
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place counted from the start, from here, or from the end; never before the start."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: len(self._data)}[whence]
        self._place = max(0, origin + offset)
        return self._place

    def tell(self) -> int:
        """Place of the next byte."""
        return self._place


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded recording.

    Attributes:
        wave: mono samples, shape ``(samples,)``.
        sample_rate: in Hz.
        digest: BLAKE2b of the very bytes that were decoded, 32 hex digits; of those and of the decoder where
            that is not libsndfile.
    """

    wave: Float32s
    sample_rate: int
    digest: str


@dataclass(frozen=True, slots=True)
class Channels:
    """A recording, or a part of one, as it lies in its file.

    Attributes:
        samples: shape ``(samples, channels)``.
        sample_rate: its own, in Hz.
        digest: as of :class:`Recording`.
    """

    samples: Float32s
    sample_rate: int
    digest: str


def read_recording(path: Path, sample_rate: int, *, max_s: float = WINDOW_S) -> Recording:
    """Read a file once: hash its bytes, decode them, make one wave around 0 of all channels, resample.

    Args:
        path: any format that libsndfile or an installed ffmpeg reads.
        sample_rate: wanted, in Hz.
        max_s: seconds to decode at most; the digest always covers the whole file.

    Raises:
        AudioMissing: the file cannot be opened or read.
        AudioError: undecodable, empty, non-finite, silent or too short.
    """
    name = name_of(path)
    wave, digest = _read(path, name, lambda sound: _decode(sound, name, sample_rate, max_s), max_s)
    return Recording(wave, sample_rate, digest)


def read_segment(path: Path, segment: Segment, sample_rate: int, *, max_s: float = WINDOW_S) -> Recording:
    """Read a part of a file: only its samples are decoded, and the file is hashed once while it is unchanged.

    Args:
        path: any format that libsndfile or an installed ffmpeg reads.
        segment: the part.
        sample_rate: wanted, in Hz.
        max_s: seconds to decode at most.

    Returns:
        What cutting the decoded recording first would give, with the segment's digest.

    Raises:
        AudioMissing: the file cannot be opened or read.
        AudioError: undecodable, or the part is empty, non-finite, silent or too short.
    """
    name = part_of(name_of(path), segment)
    wave, digest = _read(
        path, name, lambda sound: _decode(sound, name, sample_rate, max_s, segment), max_s, segment
    )
    return Recording(wave, sample_rate, digest)


def read_channels(path: Path, segment: Segment | None = None, *, max_s: float = WINDOW_S) -> Channels:
    """Read a file or a part of it; nothing is mixed or resampled.

    Args:
        path: any format that libsndfile or an installed ffmpeg reads.
        segment: the part; None for the whole file.
        max_s: seconds to decode at most; the digest always covers the whole file.

    Raises:
        AudioMissing: the file cannot be opened or read.
        AudioError: undecodable, or the one wave of all channels is empty, non-finite, silent or too short.
    """
    name = part_of(name_of(path), segment)
    (samples, own_rate), digest = _read(
        path, name, lambda sound: _samples(sound, max_s, segment or WHOLE), max_s, segment
    )
    usable(samples, own_rate, name)
    return Channels(samples.copy(), own_rate, digest)


def _read(
    path: Path, name: str, decode: Callable[[Sound], T], max_s: float, segment: Segment | None = None
) -> tuple[T, str]:
    """What ``decode`` makes of a file, and the digest of its bytes as they were decoded, or of a segment."""
    most_s = 1 + max_s + (segment.start_s if segment else 0)
    try:
        with opened_bytes(path, whole=segment is None) as handle:
            state = state_of(handle)
            source: Any = handle
            if segment is not None:
                digest = _hashed(path, *state)
            elif state.size <= WHOLE_BYTES:
                room = buffer("file", state.size // 4 + 1).data.cast("B")
                data = room[: source.readinto(room[: state.size])]
                digest = hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()
                source = MemoryFile(data)
            else:
                digest = _digest(handle)  # hours of audio: hash in pieces, decode from the same open file
            with (
                opened(source, name, most_s=most_s)
                if segment is None
                else _opened_for_several(source, name, most_s, (path, *state))
            ) as sound:
                made = decode(sound)
            digest = digest_as_decoded(digest, sound.decoder)
            return made, digest if segment is None else segment.digest(digest, sound.lead)
    except OSError as error:
        raise AudioMissing(f"{name_of(path)}: cannot be read: {error.strerror or error}") from None


@dataclass(frozen=True, slots=True)
class _Kept:
    """A recording that another decoder than libsndfile decoded.

    Attributes:
        key: of the recording, with its state, and of the decoder.
        most_s: seconds that were asked for.
        sound: open, with the file that the decoder wrote.
        stack: closes it.
    """

    key: tuple[Any, ...]
    most_s: float
    sound: Sound
    stack: ExitStack

    def gives(self, key: tuple[Any, ...], most_s: float) -> bool:
        """Whether as much of this recording is there, or all of it."""
        return self.key == key and (self.most_s >= most_s or self.sound.duration_s < self.most_s - 1)

    def __del__(self) -> None:
        self.stack.close()


class _Last(threading.local):
    """The last such recording of a thread."""

    kept: _Kept | None = None


_last = _Last()


@contextmanager
def _opened_for_several(file: Any, name: str, most_s: float, key: tuple[Any, ...]) -> Iterator[Sound]:
    """Open a recording for a segment of it; what another decoder makes of it is kept for the next ones.

    As far again is decoded as was asked for, up to ``AHEAD_S``: segments mostly come in their order.
    """
    key, kept = (*key, decoder(), os.getpid()), _last.kept
    if kept is not None and kept.gives(key, most_s):
        kept.sound.name = name
        kept.sound.seek(0)
        yield kept.sound
        return
    _last.kept = kept = None  # frees its room on the disk before another one takes some
    with ExitStack() as stack:
        ahead_s = most_s + min(most_s, AHEAD_S)
        sound = stack.enter_context(opened(file, name, most_s=ahead_s))
        if sound.decoder:
            _last.kept = _Kept(key, ahead_s, sound, stack.pop_all())
        yield sound


@lru_cache(maxsize=4096)
def _hashed(path: Path, *_state: int) -> str:
    """Digest of a file's bytes; its size and times are part of the key."""
    with opened_bytes(path, whole=False) as handle:
        return _digest(handle)


def _digest(handle: Any) -> str:
    return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()


def decode_file(path: Path, sample_rate: int, *, max_s: float = WINDOW_S) -> Float32s:
    """Decode a file to mono at ``sample_rate``; see :func:`read_recording`."""
    return read_recording(path, sample_rate, max_s=max_s).wave


def decode_bytes(data: bytes, name: str, sample_rate: int) -> Float32s:
    """Decode a file that lies in memory, as one that was sent or read from a pipe, up to ``WINDOW_S``.

    Args:
        data: content of a file of any format that libsndfile or an installed ffmpeg reads.
        name: for messages.
        sample_rate: wanted, in Hz.

    Returns:
        Mono samples, shape ``(samples,)``.

    Raises:
        AudioError: undecodable, empty, non-finite, silent or too short.
    """
    with opened(MemoryFile(memoryview(data)), name, most_s=1 + WINDOW_S) as sound:
        return _decode(sound, name, sample_rate, WINDOW_S)


def _decode(sound: Sound, name: str, sample_rate: int, max_s: float, part: Segment = WHOLE) -> Float32s:
    samples, own_rate = _samples(sound, max_s, part)
    return resample(usable(samples, own_rate, name), own_rate, sample_rate)


def _samples(sound: Sound, max_s: float, part: Segment) -> tuple[Float32s, int]:
    """Samples of shape ``(samples, channels)``, valid until this thread's next call, and their rate in Hz."""
    first = min(round(part.start_s * sound.sample_rate), sound.frames)
    if part.end_s is not None:
        max_s = min(max_s, part.end_s - part.start_s)
    frames = min(round(max_s * sound.sample_rate), sound.frames - first)
    if first:
        sound.seek(first)
    room = buffer("decoded", frames * sound.channels).reshape(frames, sound.channels)
    return sound.read(room), sound.sample_rate


def resample(wave: Float32s, sample_rate: float, wanted_rate: int) -> Float32s:
    """Resample with soxr's HQ recipe, to the length ``ceil(samples * wanted / own)``.

    Args:
        wave: samples of any type, shape ``(samples,)``.
        sample_rate: of ``wave``, in Hz; it need not be whole.
        wanted_rate: in Hz.

    Examples:
        >>> resample(np.zeros(48_000, np.float32), 48_000, 22_050).shape
        (22050,)
    """
    wave = as_samples(wave)
    if sample_rate == wanted_rate:
        return wave.copy()
    length = int(-(-wave.size * wanted_rate // sample_rate))
    changed: Float32s = soxr.resample(wave, sample_rate, wanted_rate, quality="HQ")
    return changed[:length] if changed.size >= length else np.pad(changed, (0, length - changed.size))


def excerpt(path: Path, segment: Segment | None = None) -> bytes:
    """Decode the first seconds of a recording, and encode them as MP3, which every browser plays.

    Args:
        path: any format that libsndfile or an installed ffmpeg reads.
        segment: the part of it that is meant; None for all.

    Returns:
        A whole MP3 file: mono, 22,050 Hz, about 8 kB a second.

    Raises:
        AudioMissing: the file cannot be opened or read.
        AudioError: it cannot be decoded, or this libsndfile writes no MP3.
    """
    if "MP3" not in soundfile.available_formats():
        raise AudioError("this libsndfile writes no MP3; install a version of 1.1 or newer")
    if segment is None:
        found = read_recording(path, EXCERPT_RATE, max_s=EXCERPT_S)
    else:
        found = read_segment(path, segment, EXCERPT_RATE, max_s=EXCERPT_S)
    made = io.BytesIO()
    soundfile.write(made, found.wave, EXCERPT_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return made.getvalue()


def excerpts(data: Path, places: Mapping[str, tuple[str, Segment | None]]) -> Callable[[str], bytes | None]:
    """Give what :func:`excerpt` gives for recordings by their id; None for one that cannot be decoded.

    Args:
        data: folder that paths are relative to.
        places: id -> path of the recording, and the part of it that is meant.
    """

    def heard(name: str) -> bytes | None:
        try:
            path, segment = places[name]
            return excerpt(data / path, segment)
        except (KeyError, AudioError):
            return None

    return heard
