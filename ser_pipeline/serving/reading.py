"""Which recordings a command line means, and reading one of any length in blocks or windows.

Windows end every ``hop_s``, first after a second; each reaches back ``window_s``, or to the
beginning. One more ends where the sound ends. The same windows come out however the sound is cut
into pieces, so a stream and a file of the same samples give the same predictions.
"""

import glob
import hashlib
import math
import stat
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from shlex import quote
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr

from ser_pipeline.arrays import Float32s, as_samples
from ser_pipeline.atomic import is_plain
from ser_pipeline.audio.decode import MemoryFile, resample
from ser_pipeline.audio.mono import mixed, usable
from ser_pipeline.audio.sound import Sound, opened
from ser_pipeline.errors import AudioEmpty, AudioError, AudioMissing, CorpusError, some
from ser_pipeline.records import SAMPLE_RATES
from ser_pipeline.remote.addresses import address_of, shown
from ser_pipeline.remote.opening import opened_bytes
from ser_pipeline.serving.prediction import Unusable

BLOCK_S: Final = 10.0
"""Seconds read at a time."""

FIRST_S: Final = 1.0
"""Sound that is waited for before the first window, in seconds."""

LOUDEST: Final = 4.0
"""Samples handed over in memory may be this many times full scale (12 dB), as of sound not limited yet."""


TABLES: Final = (".csv", ".tsv", ".xlsx", ".json", ".jsonl")
"""Endings of tables that 'ser manifest build --csv' reads."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """An open recording.

    Attributes:
        sample_rate: in Hz.
        duration_s: as its header says.
    """

    sample_rate: int
    duration_s: float
    _sound: Sound

    def __iter__(self) -> Iterator[Float32s]:
        """Samples, block after block, each of shape ``(n, channels)``.

        Raises:
            AudioError: a block cannot be decoded.
        """
        for block in self._sound.blocks(round(BLOCK_S * self.sample_rate)):
            yield block.copy()


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of sound.

    Attributes:
        wave: all channels as one wave around 0 (:func:`~ser_pipeline.audio.mono.mixed`), at the model's rate,
            shape ``(samples,)``.
        start: where it begins, in samples from the beginning.
    """

    wave: Float32s
    start: int


class Windows:
    """Cut sound that arrives in pieces into overlapping windows.

    Keeps one window's samples and no more.

    Args:
        sample_rate: of what arrives, in Hz.
        wanted_rate: of the windows, in Hz.
        window_s: length, in seconds.
        hop_s: from one end to the next, in seconds.
    """

    def __init__(self, sample_rate: float, wanted_rate: int, window_s: float, hop_s: float) -> None:
        self._resampler: soxr.ResampleStream | None = None
        self._first: Float32s | None = None  # the first sample of each channel
        self._rates = (sample_rate, wanted_rate)
        self._length = max(1, round(window_s * wanted_rate))
        self._hop = max(1, round(hop_s * wanted_rate))
        self._end = self._hop * max(1, math.ceil(FIRST_S * wanted_rate / self._hop))  # of the next window
        self._held = np.zeros((0, 1), np.float32)
        self._held_from = 0
        self._arrived = 0
        self._last_end = 0

    def push(self, samples: Float32s) -> Iterator[Window]:
        """Take the next samples and give the windows they complete.

        Args:
            samples: shape ``(n,)``, or ``(n, channels)`` with as many channels each time.

        Raises:
            AudioError: another number of channels than before.
        """
        samples = samples[:, None] if samples.ndim == 1 else samples
        if not len(samples):
            return
        if self._first is None:
            self._begin(samples[0])
        elif len(self._first) != samples.shape[1]:
            raise AudioError(f"{samples.shape[1]} channels after {len(self._first)}; always push as many")
        self._arrived += len(samples)
        yield from self._take(self._resampled(samples, last=False))

    def finish(self) -> Iterator[Window]:
        """Give what the end completes: at most a few windows, the last one up to the last sample.

        Raises:
            AudioError: nothing arrived.
        """
        if self._first is None:
            raise AudioEmpty("empty: the recording has no samples")
        yield from self._take(self._resampled(np.zeros((0, len(self._first)), np.float32), last=True))
        total = self._held_from + len(self._held)
        if total > self._last_end:
            yield self._window(total)

    def _begin(self, first: Float32s) -> None:
        """Get ready for as many channels as the first sample has."""
        self._first = first.copy()
        self._held = np.zeros((0, len(first)), np.float32)
        own, wanted = self._rates
        if own != wanted:
            self._resampler = soxr.ResampleStream(own, wanted, len(first), dtype="float32", quality="HQ")

    def _resampled(self, samples: Float32s, *, last: bool) -> Float32s:
        """Samples at the wanted rate; those of a stream that is resampled count from its first one.

        The resampler takes for granted that all before was 0: an offset would begin with a click.
        """
        if self._resampler is None or self._first is None:
            return samples
        with np.errstate(invalid="ignore"):
            moved = np.ascontiguousarray(samples - self._first)
        made: Float32s = self._resampler.resample_chunk(moved, last=last).reshape(-1, samples.shape[1])
        if last:
            own, wanted = self._rates
            due = int(-(-self._arrived * wanted // own)) - (self._held_from + len(self._held))
            made = made[: max(0, due)]
        return made

    def _take(self, samples: Float32s) -> Iterator[Window]:
        self._held = np.concatenate([self._held, samples])
        total = self._held_from + len(self._held)
        while total >= self._end:
            window = self._window(self._end)
            self._last_end, self._end = self._end, self._end + self._hop
            yield window  # last: who takes it may raise, and go on with the next one
        # the last window may end with the very next sample
        first = max(0, min(self._end, total) - self._length - self._held_from)
        self._held, self._held_from = self._held[first:], self._held_from + first

    def _window(self, end: int) -> Window:
        start = max(0, end - self._length)
        return Window(mixed(self._held[start - self._held_from : end - self._held_from]), start)


def mono(
    wave: npt.ArrayLike, sample_rate: float, wanted_rate: int, *, name: str, max_s: float = math.inf
) -> Float32s:
    """Check samples handed over in memory, of which the first seconds count, and resample them.

    Raises:
        AudioError: not one-dimensional, of a type or range that sound does not have, a sample rate that no
            recording has, or samples that cannot be used.
        AudioSilent: nothing can be heard.
    """
    samples = as_samples(wave)
    if samples.ndim != 1:
        raise AudioError(f"a mono wave of shape (samples,) is needed, found {samples.shape}")
    rate = rate_in_hz(sample_rate)
    samples = samples if samples.size <= max_s * rate else samples[: round(max_s * rate)]
    return resample(usable(in_range(samples), rate, name), rate, wanted_rate)


def in_range(samples: Float32s) -> Float32s:
    """The same samples.

    Raises:
        AudioError: they are further beyond full scale than sound that was too loud is.
    """
    loudest = float(np.abs(samples).max(initial=0))
    if math.isfinite(loudest) and loudest > LOUDEST:  # what is not finite has a message of its own
        raise AudioError(
            f"samples of up to {loudest:,.6g} times full scale; floating-point samples lie in [-1, 1]: pass "
            "integers as integers, or divide them by their full scale, which is 32,768 for 16 bits"
        )
    return samples


def rate_in_hz(sample_rate: float) -> float:
    """A sample rate as a whole number where it is one.

    Raises:
        AudioError: no number, or one that no recording has.
    """
    number = isinstance(sample_rate, Real) and not isinstance(sample_rate, bool)
    lowest, highest = SAMPLE_RATES
    if not number or not lowest <= sample_rate <= highest:
        raise AudioError(f"sample rate {sample_rate} Hz; between {lowest:,} and {highest:,} are valid")
    return int(sample_rate) if float(sample_rate).is_integer() else float(sample_rate)


def expand(words: Sequence[str]) -> tuple[list[Path], list[Unusable]]:
    """Find the recordings that words of a command line name.

    Args:
        words: files, folders (every recording below them, sorted), patterns such as ``**/*.wav`` that the
            shell has not expanded, addresses (those that end with a slash as folders), and ``-`` for
            standard input.

    Returns:
        Paths in the order of the words, and what names no recording, with the reason. A file that does
        not exist stays among the paths: opening it tells.

    Examples:
        >>> expand(["a.wav", "-"])
        ([PosixPath('a.wav'), PosixPath('-')], [])
    """
    paths: list[Path] = []
    failures: list[Unusable] = []
    for word in words:
        path = Path(word)
        if address_of(word) is not None:
            found, reason = _in_folder(path) if word.endswith("/") else ([path], "")
        elif path.is_dir():
            found, reason = _in_folder(path)
            odd = [name for name in found if not _opens_at_once(name)]
            failures += [Unusable(str(name), f"{name}: cannot be read: not a regular file") for name in odd]
            found = [name for name in found if name not in odd]
            reason = "" if odd else reason
        elif not path.exists() and glob.has_magic(word):
            found = sorted(Path(name) for name in glob.glob(word, recursive=True) if Path(name).is_file())
            reason = f"{word}: matches no file"
        else:
            reason = _no_recording(path)
            found = [] if reason else [path]
        paths += found
        if not found and reason:
            failures.append(Unusable(word, reason))
    return paths, failures


def _no_recording(path: Path) -> str:
    """Why a file can only be a table or a manifest, and how those are used; "" for any other."""
    suffix, name = path.suffix.lower(), quote(str(path))
    if not path.is_file() or suffix not in (*TABLES, ".parquet"):
        return ""
    if suffix == ".parquet":
        return f"{path}: not a recording; of a manifest, --out FILE.parquet predicts every recording"
    return (
        f"{path}: a table, not a recording; if it has labels: ser manifest build --csv {name}; and then: "
        "ser predict manifests --out predictions.parquet; if not, name its recordings themselves"
    )


def itself(known: Sequence[Path | bytes], judged: Sequence[Path | bytes]) -> str:
    """What is wrong with recordings that shall tell of a speaker and are judged themselves; "" where none is.

    Args:
        known: of the speaker.
        judged: under whatever path; copies of a file are the same recording.
    """
    bytes_of = {*map(_digest, judged)} if known else set()
    found = [
        f"recording {number}" if isinstance(each, bytes) else shown(each)
        for number, each in enumerate(known, 1)
        if _digest(each) in bytes_of
    ]
    if not found:
        return ""
    return f"{some(found, show=3)}: judged as well, so that nothing new is known of the speaker; name others"


def _digest(source: Path | bytes) -> bytes | str:
    if isinstance(source, bytes):
        return hashlib.blake2b(source).digest()
    try:
        if source.is_file():
            with source.open("rb") as file:
                return hashlib.file_digest(file, "blake2b").digest()
    except OSError:
        pass  # opening it to judge it tells
    return str(source)


def _opens_at_once(path: Path) -> bool:
    """Whether a file of a folder is one of bytes, and no pipe that waits for a writer."""
    try:
        return is_plain(path)
    except OSError:
        return True  # opening it tells


def _in_folder(folder: Path) -> tuple[list[Path], str]:
    from ser_pipeline.corpora.files import audio_files  # the corpora with it, which no file needs

    try:
        return [folder / name for name in audio_files(folder)], f"{folder}: holds no recording"
    except CorpusError as error:
        return [], str(error)


@contextmanager
def file_blocks(source: str | Path | bytes, name: str) -> Iterator[Blocks]:
    """Open a recording for reading in blocks.

    Args:
        source: a file, or the bytes of one.
        name: for messages.

    Raises:
        AudioMissing: the file cannot be opened.
        AudioError: no recording that can be decoded, or one that was cut.
    """
    try:
        with _opened(readable(source)) as handle, opened(handle, name) as sound:
            yield Blocks(sound.sample_rate, sound.duration_s, sound)
    except OSError as error:
        raise AudioMissing(f"{name}: cannot be read: {error.strerror or error}") from None


def readable(source: str | Path | bytes) -> Path | bytes:
    """A recording that can be read more than once: of a pipe, as of ``<(...)`` in a shell, its bytes.

    Raises:
        AudioMissing: what the pipe gives cannot be read.
    """
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        return path.read_bytes() if stat.S_ISFIFO(path.stat().st_mode) else path
    except FileNotFoundError:
        return path  # opening it tells
    except OSError as error:
        raise AudioMissing(f"{source}: cannot be read: {error.strerror or error}") from None


def _opened(source: Path | bytes) -> AbstractContextManager[Any]:
    if isinstance(source, bytes):
        return nullcontext(MemoryFile(memoryview(source)))
    return opened_bytes(source)
