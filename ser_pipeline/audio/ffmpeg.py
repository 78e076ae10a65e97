"""Formats that libsndfile does not read, decoded by ffmpeg where that is installed.

ffmpeg runs as a process of its own, never through a shell. It sees no name that a user gave: the bytes
lie in a temporary file, their format is told and not guessed (so that no playlist makes it open other
files), and it may open files and pipes alone. Time and size of what it writes are bounded.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BufferedRandom
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Final, NamedTuple

from ser_pipeline.audio.splice import Source
from ser_pipeline.errors import AudioCut, AudioEmpty, AudioError, AudioForeign, AudioMissing

ABSENT: Final = "no ffmpeg"
"""Name of the decoder of a recording that would need one."""

TIMEOUT_S: Final = 600.0
"""ffmpeg may take this long for one recording; for one of limited length less, see :func:`_allowed_s`."""

LARGEST: Final = 4_000_000_000
"""Bytes that it may write for one recording: three hours of stereo at 48 kHz."""

UNDECODED: Final = "bad header: ffmpeg cannot decode it"

FROM_START: Final = (
    "asetpts=PTS-STARTPTS*lt(STARTPTS*TB\\,0.15),aresample=async=1:min_hard_comp=1e9:first_pts=0"
)
"""Filters that put silence before sound that begins later than its video, so that times are those of players.

Less than 0.15 s is what codecs need to begin. Gaps further on are left as they are.
"""

_VERSION_S: Final = 20.0
_SAID: Final = 1 << 16
_CUT: Final = ("partial file", "ended prematurely", "moov atom not found", "truncated", "end of file")
"""Words of ffmpeg, in small letters, on files that end too early."""


class Ffmpeg(NamedTuple):
    """The program that is installed.

    Attributes:
        path: of the program.
        name: with its version, as ``ffmpeg 7.1``.
    """

    path: str
    name: str


def installed() -> Ffmpeg | None:
    """The ffmpeg on the path of programs; looked for once."""
    return _on(os.environ.get("PATH", os.defpath))


def decoder() -> str:
    """Name of what decodes such formats: ffmpeg with its version, or ``ABSENT``."""
    found = installed()
    return ABSENT if found is None else found.name


@lru_cache(maxsize=8)
def _on(path: str) -> Ffmpeg | None:
    program = shutil.which("ffmpeg", path=path)
    if program is None:
        return None
    try:
        said = subprocess.run(
            [program, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.match(rb"ffmpeg version (\S+)", said)
    return Ffmpeg(program, f"ffmpeg {version[1].decode(errors='replace') if version else 'unknown'}")


@contextmanager
def decoded(file: Source, demuxer: str, what: str, most_s: float | None = None) -> Iterator[BufferedRandom]:
    """Decode a recording to a WAV file of float32, which is deleted when the block is left.

    Args:
        file: its bytes, from the first one on.
        demuxer: name that ffmpeg has for the format; empty if it has none.
        what: name of the format for people.
        most_s: seconds to decode at most.

    Raises:
        AudioMissing: ffmpeg is not installed, has no room, or takes too long.
        AudioError: it finds no sound, or cannot decode it.
    """
    if not demuxer:
        raise AudioForeign(f"{what} cannot be decoded; convert it to WAV or FLAC")
    program = installed()
    if program is None:
        raise AudioMissing(
            f"{what} needs ffmpeg, which is not installed: install it (ffmpeg.org, or 'apt install ffmpeg', "
            "'brew install ffmpeg'), or convert the recording to WAV or FLAC"
        )
    try:
        wav = _decode(program, file, demuxer, what, most_s)
    except OSError as error:
        raise AudioMissing(f"{what} cannot be decoded here: {error.strerror or error}") from None
    with wav:
        yield wav


def _decode(program: Ffmpeg, file: Source, demuxer: str, what: str, most_s: float | None) -> BufferedRandom:
    with TemporaryDirectory(prefix="ser-decode-") as folder, TemporaryFile() as said:
        given = Path(folder) / "recording"
        with given.open("wb") as copy:
            file.seek(0)
            shutil.copyfileobj(file, copy)
        wav = TemporaryFile()  # noqa: SIM115  # closed by who reads it
        try:
            status = _run(_command(program, demuxer, given, most_s), folder, wav, said, _allowed_s(most_s))
            said.seek(0)
            problem = _problem(status, said.read(_SAID).decode(errors="replace").lower())
            if problem or not wav.tell():
                problem = problem or AudioForeign(UNDECODED)
                raise type(problem)(f"{problem}: {what}")
            if wav.tell() >= LARGEST - _SAID:
                raise AudioError(f"too long: {what} that gives more than {LARGEST / 1e9:g} GB of samples")
            wav.seek(0)
        except BaseException:
            wav.close()
            raise
        return wav


def _command(program: Ffmpeg, demuxer: str, given: Path, most_s: float | None) -> list[str]:
    read = [
        "-nostdin",
        "-hide_banner",
        "-loglevel",
        "error",
        "-threads",
        "1",
        "-protocol_whitelist",
        "file,pipe",
    ]
    limit = [] if most_s is None else ["-t", f"{most_s:.3f}"]
    sound = ["-map", "0:a:0", "-af", FROM_START, "-map_metadata", "-1", "-c:a", "pcm_f32le"]
    write = [*limit, *sound, "-fs", str(LARGEST), "-f", "wav", "pipe:1"]
    return [program.path, *read, "-f", demuxer, "-i", f"file:{given}", *write]


def _allowed_s(most_s: float | None) -> float:
    """Seconds that ffmpeg may take, so that nobody blocks a server: a tenth of real time, and its start."""
    return TIMEOUT_S if most_s is None else min(TIMEOUT_S, 20 + most_s / 10)


def _run(command: list[str], folder: str, wav: IO[bytes], said: IO[bytes], allowed_s: float) -> int:
    plain = {name: value for name, value in os.environ.items() if name != "FFREPORT"}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=wav,
            stderr=said,
            cwd=folder,
            env=plain,
            timeout=allowed_s,
        ).returncode
    except subprocess.TimeoutExpired:
        raise AudioMissing(
            f"ffmpeg had not decoded it after {allowed_s:g} s; cut it into shorter parts"
        ) from None


def _problem(status: int, said: str) -> AudioError | None:
    """What is wrong with a recording by what ffmpeg said of it; None if nothing is."""
    if "matches no streams" in said or "does not contain any stream" in said:
        return AudioEmpty("empty: there is no sound in it")
    if any(words in said for words in _CUT):
        return AudioCut("truncated: its end is missing")
    return AudioForeign(UNDECODED) if status else None
