"""Read a recording once: its digest, its header, and whether it can be used."""

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from ser_pipeline.errors import AudioError, AudioMissing
from ser_pipeline.manifest.digest import digest_stream
from ser_pipeline.records import MIN_CLIP_S, WINDOW_S, digest_as_decoded
from ser_pipeline.remote.addresses import address_of
from ser_pipeline.remote.opening import opened_bytes, state_of

if TYPE_CHECKING:
    from ser_pipeline.audio.sound import Sound

POINTERS: Final = (
    (b"version https://git-lfs", "Git LFS pointer instead of audio: run 'git lfs pull' in its folder"),
    (b"/annex/objects/", "git-annex pointer instead of audio: run 'git annex get' in its folder"),
    (b"<!doctype html", "web page instead of audio: download the recording again"),
    (b"<html", "web page instead of audio: download the recording again"),
)


class Probe(NamedTuple):
    """What one reading of a file found.

    Attributes:
        size: of the file in bytes; -1 if it could not be read, which is tried again next time.
        mtime_ns: time of the last change, as the file system keeps it.
        ctime_ns: time of the last change that nobody can set back.
        digest: of the bytes, and of what decoded them if that is not libsndfile.
        duration_s: by the header; 0 where there is a ``problem``.
        sample_rate: in Hz.
        channels: number of channels.
        problem: why the recording can't be used, or None.
        decoder: what decoded it if libsndfile cannot, or that it takes ffmpeg, which is not installed.
        lead: frames that are decoded before a part of it.
        decoded: it was decoded too, so that what follows says something.
        decode_problem: why its samples can't be used, or None.
        wave_problem: why nothing can be made of it as a whole, of which stores read the first minute; or
            None.
        channel: the one that is used, from 1 on, because the channels cancel each other; None for all.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    digest: str = ""
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    problem: str | None = None
    decoder: str = ""
    lead: int = 0
    decoded: bool = False
    decode_problem: str | None = None
    wave_problem: str | None = None
    channel: int | None = None


def probe(path: str, *, decode: bool = False) -> Probe:
    """Read one file; whatever is wrong with it is in the answer, nothing is raised.

    Args:
        path: of the file.
        decode: also decode it, to find silent, non-finite and undecodable samples.
    """
    try:
        with opened_bytes(Path(path)) as file:
            return _probe_open(file, decode)
    except FileNotFoundError as error:
        if address_of(path) is not None:
            return _unread(str(error.strerror))
        return _unread("a broken link" if os.path.islink(path) else "deleted after the folder was listed")
    except OSError as error:
        irregular = error.strerror == "not a regular file"
        return _unread(f"{'' if irregular else 'not readable: '}{error.strerror or error}")


def _unread(problem: str) -> Probe:
    return Probe(-1, -1, -1, problem=problem)


def _probe_open(file: IO[bytes], decode: bool) -> Probe:
    before = state_of(file)
    head = file.read(512)
    file.seek(0)
    found = Probe(*before, digest_stream(file))
    problem = _not_audio(head, before.size)
    found = found._replace(problem=problem) if problem else _read_header(file, found, decode)
    if state_of(file, now=True)[:2] != before[:2]:
        return _unread("changed while it was read; build again when it is complete")
    return found


def _not_audio(head: bytes, size: int) -> str | None:
    """Why these first bytes are not a recording, where that is plain to see."""
    if size == 0:
        return "empty: 0 bytes"
    start = head.lstrip().lower()
    return next((reason for mark, reason in POINTERS if start.startswith(mark)), None)


def _read_header(file: Any, found: Probe, decode: bool) -> Probe:
    from ser_pipeline.audio.ffmpeg import ABSENT
    from ser_pipeline.audio.sound import opened

    try:
        with opened(file) as sound:
            found = found._replace(
                digest=digest_as_decoded(found.digest, sound.decoder),
                duration_s=sound.duration_s,
                sample_rate=sound.sample_rate,
                channels=sound.channels,
                decoder=sound.decoder,
                lead=sound.lead,
                problem=_header_problem(sound),
            )
            if found.problem is None and decode:
                found = found._replace(decoded=True, **samples_facts(sound))
            return found
    except AudioMissing as error:
        return found._replace(problem=str(error), decoder=ABSENT)
    except AudioError as error:
        return found._replace(problem=str(error))


def _header_problem(sound: "Sound") -> str | None:
    if sound.frames == 0:
        return "empty: its header announces no samples"
    try:
        sound.check_end()
    except AudioError as error:
        return str(error)
    if sound.duration_s < MIN_CLIP_S:
        return f"too short: {sound.duration_s:.3f} s; at least {MIN_CLIP_S} s are needed"
    return None


def samples_facts(sound: "Sound") -> dict[str, Any]:
    """Decode all samples of an open recording: its ``decode_problem``, ``wave_problem`` and ``channel``."""
    from ser_pipeline.audio.mono import lone_channel, usable

    try:
        sound.seek(0)
        minute = min(sound.frames, round(WINDOW_S * sound.sample_rate))
        first = sound.read(np.empty((minute, sound.channels), np.float32))
        finite = [bool(np.isfinite(block).all()) for block in (first, *sound.blocks())]
    except AudioError as error:
        return {"decode_problem": str(error)}
    if not all(finite):
        return {"decode_problem": "holds samples that are not finite numbers"}
    try:
        usable(first, sound.sample_rate, "")
    except AudioError as error:
        return {"wave_problem": str(error).removeprefix(": ")}
    channel = lone_channel(first)
    return {"channel": None if channel is None else channel + 1}
