"""Read a recording once: its digest, its header, and whether it can be used."""

import os
import stat
from typing import Any, BinaryIO, Final, NamedTuple, cast

import numpy as np

from ser_pipeline.manifest.digest import digest_stream
from ser_pipeline.manifest.header import bytes_missing
from ser_pipeline.records import MIN_CLIP_S

SILENCE_PEAK: Final = 1e-4
"""A recording is silent if no sample reaches this share of full scale (-80 dB)."""

SAMPLE_RATES: Final = (1_000, 1_000_000)
"""Lowest and highest believable sample rate, in Hz."""

BLOCK_FRAMES: Final = 1 << 16
"""Frames decoded at once, so that a long recording needs no more memory than a short one."""

LONGEST_FRAMES: Final = 1 << 40
"""libsndfile says more than this where the header gives no length."""

POINTERS: Final = (
    (b"version https://git-lfs", "a git-LFS pointer, not a recording; run 'git lfs pull' in its folder"),
    (b"/annex/objects/", "a git-annex pointer, not a recording; run 'git annex get' in its folder"),
    (b"<!doctype html", "a web page, not a recording; download it again"),
    (b"<html", "a web page, not a recording; download it again"),
)


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
        return _unread("a broken link" if os.path.islink(path) else "gone since the folder was listed")
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
        return f"cannot be decoded: {counted} of the {audio.frames} frames its header announces are there"
    if not np.isfinite(peak):
        return "holds samples that are not finite numbers"
    if peak < SILENCE_PEAK:
        return f"silent: no sample reaches {SILENCE_PEAK:g} of full scale"
    return None
