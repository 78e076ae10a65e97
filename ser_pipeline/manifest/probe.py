"""Read a recording once: its digest, its header, and whether it can be used.

libsndfile shortens a truncated file in silence, so the size the header announces is compared
with the file's own. WAV (also big-endian and 64-bit), AIFF, AU, CAF and Ogg say where their data
ends; for FLAC and MP3 the last frame is read instead.
"""

import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple, cast

import numpy as np

from ser_pipeline.manifest.digest import digest_stream
from ser_pipeline.records import MIN_CLIP_S

MAX_CHUNKS: Final = 1000
"""More chunks than any real file has: a file of zeros must not be walked to its end."""

OGG_TAIL: Final = 65_307
"""Largest Ogg page: the last page starts at most this far from the end."""

UNKNOWN_SIZES: Final = {0, 0xFFFFFFFFFFFFFFFF}
"""What writers to a pipe leave where the size should stand."""

ENDLESS: Final = (range(0x7FFFF000, 0x80000001), range(0xFFFFF000, 0x100000000))
"""What they also leave there: the most that 31 or 32 bits hold, some less by the length of a head."""

W64_TAIL: Final = bytes.fromhex("f3acd3118cd100c04f8edb8a")

SILENCE_PEAK: Final = 1e-4
"""A recording is silent if no sample reaches this share of full scale (-80 dB)."""

SAMPLE_RATES: Final = (1_000, 1_000_000)
"""Lowest and highest believable sample rate, in Hz."""

BLOCK_FRAMES: Final = 1 << 16
"""Frames decoded at once, so that a long recording needs no more memory than a short one."""

LONGEST_FRAMES: Final = 1 << 40
"""libsndfile says more than this where the header gives no length."""

POINTERS: Final = (
    (b"version https://git-lfs", "Git LFS pointer instead of audio: run 'git lfs pull' in its folder"),
    (b"/annex/objects/", "git-annex pointer instead of audio: run 'git annex get' in its folder"),
    (b"<!doctype html", "web page instead of audio: download the recording again"),
    (b"<html", "web page instead of audio: download the recording again"),
)


@dataclass(frozen=True)
class Container:
    """How a file is cut into chunks.

    Attributes:
        first: position of the first chunk.
        head: layout of a chunk's head, name and length, as for ``struct``.
        data: name of the chunk that holds the samples.
        align: chunks start at multiples of this.
        inclusive: the length counts the head too.
    """

    first: int
    head: str
    data: bytes
    align: int = 1
    inclusive: bool = False


WAV: Final = Container(12, "<4sI", b"data", align=2)

CONTAINERS: Final[dict[bytes, Container]] = {
    b"RIFF": WAV,
    b"RF64": WAV,
    b"RIFX": Container(12, ">4sI", b"data", align=2),
    b"FORM": Container(12, ">4sI", b"SSND", align=2),
    b"riff": Container(40, "<16sQ", b"data" + W64_TAIL, align=8, inclusive=True),
    b"caff": Container(8, ">4sQ", b"data"),
}
"""First four bytes of a file -> its chunks."""


class Probe(NamedTuple):
    """What one reading of a file found.

    Attributes:
        size: of the file in bytes; -1 if it could not be read, which is tried again next time.
        mtime_ns: time of the last change, as the file system keeps it.
        ctime_ns: time of the last change that nobody can set back.
        digest: of the bytes.
        duration_s: by the header; 0 where there is a ``problem``.
        sample_rate: in Hz.
        channels: number of channels.
        problem: why the recording can't be used, or None.
        decoded: it was decoded too, so that ``decode_problem`` says something.
        decode_problem: why its samples can't be used, or None.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    digest: str = ""
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    problem: str | None = None
    decoded: bool = False
    decode_problem: str | None = None


def bytes_missing(file: BinaryIO, size: int) -> int:
    """Bytes between the end of a file and the end its header announces.

    Args:
        file: open for reading; its position is moved.
        size: of the file, in bytes.

    Returns:
        0 for a whole file, and for a container that does not say.

    Examples:
        >>> import io
        >>> header = b"RIFF" + (44).to_bytes(4, "little") + b"WAVE"
        >>> data = header + b"data" + (10).to_bytes(4, "little") + b"1234567"
        >>> bytes_missing(io.BytesIO(data), len(data))
        3
    """
    file.seek(0)
    mark = file.read(4)
    if mark == b"OggS":
        return _ogg(file, size)
    if mark == b".snd":
        return _au(file, size)
    container = CONTAINERS.get(mark)
    return _chunked(file, size, container) if container else 0


def _chunks(file: BinaryIO, size: int, container: Container) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the body and length of each chunk's body."""
    position = container.first
    width = struct.calcsize(container.head)
    for _ in range(MAX_CHUNKS):
        if position + width > size:
            return
        file.seek(position)
        name, length = struct.unpack(container.head, file.read(width))
        if container.inclusive:
            length = max(0, length - width)
        yield name, position + width, length
        position += width + length
        position += -position % container.align


def _chunked(file: BinaryIO, size: int, container: Container) -> int:
    long_length = 0
    for name, start, length in _chunks(file, size, container):
        if name == b"ds64" and start + 16 <= size:  # RF64 keeps its true length apart
            file.seek(start + 8)
            (long_length,) = struct.unpack("<Q", file.read(8))
        if name == container.data:
            announced = long_length if long_length and length == 0xFFFFFFFF else length
            return 0 if _unknown(announced) else max(0, start + announced - size)
    return 0


def _au(file: BinaryIO, size: int) -> int:
    head = file.read(8)
    if len(head) < 8:
        return 0
    start, length = struct.unpack(">II", head)
    return 0 if _unknown(length) else max(0, int(start + length - size))


def _unknown(length: int) -> bool:
    return length in UNKNOWN_SIZES or any(length in sizes for sizes in ENDLESS)


def _ogg(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - OGG_TAIL))
    tail = file.read(OGG_TAIL)
    page = tail.rfind(b"OggS")
    if page < 0:
        return 0
    table = page + 27  # the fixed part of a page's head ends with the number of its segments
    if table > len(tail):
        return table - len(tail)
    segments = tail[table : table + tail[table - 1]]
    end = table + tail[table - 1] + sum(segments)
    return max(0, end - len(tail))


def probe(path: str, *, decode: bool = False) -> Probe:
    """Read one file; whatever is wrong with it is in the answer, nothing is raised.

    Args:
        path: of the file.
        decode: also decode it, to find silent, non-finite and undecodable samples.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            return _unread("not a regular file")
        with open(path, "rb", buffering=0) as file:
            return _probe_open(cast(BinaryIO, file), decode)
    except FileNotFoundError:
        return _unread("a broken link" if os.path.islink(path) else "deleted after the folder was listed")
    except OSError as error:
        return _unread(f"not readable: {error.strerror or error}")


def _unread(problem: str) -> Probe:
    return Probe(-1, -1, -1, problem=problem)


def _probe_open(file: BinaryIO, decode: bool) -> Probe:
    before = os.fstat(file.fileno())
    head = file.read(512)
    file.seek(0)
    found = Probe(before.st_size, before.st_mtime_ns, before.st_ctime_ns, digest_stream(file))
    problem = _not_audio(head, before.st_size)
    found = found._replace(problem=problem) if problem else _read_header(file, found, decode)
    after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        return _unread("changed while it was read; build again when it is complete")
    return found


def _not_audio(head: bytes, size: int) -> str | None:
    """Why these first bytes are no recording, where that is plain to see."""
    if size == 0:
        return "empty: 0 bytes"
    start = head.lstrip().lower()
    return next((reason for mark, reason in POINTERS if start.startswith(mark)), None)


def _read_header(file: BinaryIO, found: Probe, decode: bool) -> Probe:
    import soundfile

    missing = bytes_missing(file, found.size)
    file.seek(0)
    try:
        with soundfile.SoundFile(file.fileno(), closefd=False) as audio:
            found = found._replace(
                duration_s=audio.frames / audio.samplerate,
                sample_rate=audio.samplerate,
                channels=audio.channels,
            )
            problem = _header_problem(found, missing, audio)
            if problem is None and decode:
                found = found._replace(decoded=True, decode_problem=samples_problem(audio))
    except soundfile.LibsndfileError as error:
        problem = f"truncated: {missing} bytes are missing" if missing else _bad_header(error.error_string)
    return found._replace(problem=problem)


def _bad_header(why: str) -> str:
    return f"bad header: {why.rstrip('.')}"


def _header_problem(found: Probe, missing: int, audio: Any) -> str | None:
    if missing:
        return f"truncated: {missing} of the {found.size + missing} bytes its header announces are missing"
    if not SAMPLE_RATES[0] <= found.sample_rate <= SAMPLE_RATES[1]:
        return _bad_header(f"a sample rate of {found.sample_rate} Hz")
    if audio.frames == 0:
        return "empty: its header announces no samples"
    if audio.frames > LONGEST_FRAMES:
        return _bad_header("it gives no length; encode the recording again")
    if not _has_last_frame(audio):
        return "truncated: its last samples cannot be read"
    if found.duration_s < MIN_CLIP_S:
        return f"too short: {found.duration_s:.3f} s; at least {MIN_CLIP_S} s are needed"
    return None


def _has_last_frame(audio: Any) -> bool:
    """Whether the last frame can be read: finds a truncated FLAC or MP3 without decoding it."""
    import soundfile

    try:
        audio.seek(audio.frames - 1)
        last = len(audio.read(1, dtype="float32", always_2d=True))
    except soundfile.LibsndfileError:
        return False
    return bool(last == 1)


def samples_problem(audio: Any) -> str | None:
    """Decode all samples of an open recording and say what is wrong with them, or None."""
    import soundfile

    counted, peak = 0, np.float32(0)
    try:
        audio.seek(0)
        while len(block := audio.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            counted += len(block)
            peak = np.maximum(peak, np.abs(block).max())  # unlike max(), keeps a NaN
    except soundfile.LibsndfileError as error:
        return f"cannot be decoded: {error.error_string.rstrip('.')}"
    if counted != audio.frames:
        return f"cannot be decoded: {counted} of the {audio.frames} frames in its header are present"
    if not np.isfinite(peak):
        return "holds samples that are not finite numbers"
    if peak < SILENCE_PEAK:
        return f"silent: no sample reaches {SILENCE_PEAK:g} of full scale"
    return None
