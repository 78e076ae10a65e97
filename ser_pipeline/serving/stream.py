"""Predictions on sound as it arrives: from a microphone, or a recording played as if it were live."""

import queue
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s, as_samples
from ser_pipeline.errors import AudioError, SettingsError
from ser_pipeline.options import PredictOptions
from ser_pipeline.remote.addresses import shown
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import Prediction
from ser_pipeline.serving.reading import Window, Windows, file_blocks, in_range, rate_in_hz
from ser_pipeline.tables.cells import plural

BLOCK_S: Final = 0.1
"""Seconds that arrive at a time."""

MICROPHONE_RATE: Final = 16_000
"""Sample rate a microphone is asked for, in Hz."""

SILENT_S: Final = 5.0
"""A microphone that gives no block for this long is gone, in seconds."""

LIVE_HOP_S: Final = 0.5
"""From one prediction of a live stream to the next, in seconds."""


@dataclass
class Timing:
    """How long answers took.

    Attributes:
        sound_s: seconds of sound that arrived.
        busy_s: seconds spent on it.
        answers_s: of each answer, seconds from its last sample's arrival.
    """

    sound_s: float = 0.0
    busy_s: float = 0.0
    answers_s: list[float] = field(default_factory=list)

    @property
    def real_time_factor(self) -> float:
        """Seconds of work for a second of sound; below 1 keeps up."""
        return self.busy_s / self.sound_s if self.sound_s else 0.0

    def sentence(self) -> str:
        """Both in words.

        Examples:
            >>> Timing(10.0, 0.5, [0.01, 0.02, 0.03]).sentence()
            '3 answers in 10.0 s of sound: 20 ms each (at most 30 ms), real-time factor 0.050'
        """
        if not self.answers_s:
            return f"no answer in {self.sound_s:.1f} s of sound"
        return (
            f"{len(self.answers_s)} answers in {self.sound_s:.1f} s of sound: "
            f"{1000 * statistics.median(self.answers_s):.0f} ms each (at most "
            f"{1000 * max(self.answers_s):.0f} ms), real-time factor {self.real_time_factor:.3f}"
        )


class Stream:
    """Predict on sound as it arrives.

    Args:
        model: it predicts.
        sample_rate: of what will be pushed, in Hz.
        options: length and distance of windows, and the like.
        name: of the recording.

    Raises:
        RunError: the model needs to know the speaker, or shall adapt and was not trained to.

    Examples:
        >>> stream = Stream(load_model("runs/best"), 16_000)  # doctest: +SKIP
        >>> for block in microphone:  # doctest: +SKIP
        ...     for said in stream.push(block):
        ...         print(said.end_s, said.decision)
    """

    def __init__(
        self, model: Model, sample_rate: float, options: PredictOptions | None = None, *, name: str = "stream"
    ) -> None:
        model.check_speaker()
        self.options = options or PredictOptions()
        self.name = name
        self._listener = model.listener(self.options)
        self._windows = Windows(
            rate_in_hz(sample_rate),
            model.sample_rate,
            self.options.window_s or model.longest_s,
            self.options.hop_s or LIVE_HOP_S,
        )

    def push(self, samples: npt.ArrayLike) -> list[Prediction]:
        """Take the next samples and predict on the windows they complete.

        Args:
            samples: floating-point numbers in [-1, 1], or integers, which are scaled by their range; mono,
                shape ``(n,)``, or of several channels ``(n, channels)``, of which each window is made one
                wave as a recording would be.

        Returns:
            None or more predictions, in order of time.

        Raises:
            AudioError: samples that are not numbers, of another shape, or far beyond full scale; none of them
                is taken, and the stream goes on with the next ones.
        """
        wave = in_range(as_samples(samples))
        if wave.ndim not in (1, 2):
            raise AudioError(f"samples of shape (n,) or (n, channels) are needed, found {wave.shape}")
        if bad := int(np.count_nonzero(~np.isfinite(wave))):
            raise AudioError(f"non-finite: {plural(bad, 'sample is', 'samples are')} NaN or infinite")
        return self._predicted(self._windows.push(wave))

    def finish(self) -> list[Prediction]:
        """Predict on what is left when the sound ends.

        Raises:
            AudioError: nothing was pushed, or less than 0.1 s.
        """
        return self._predicted(self._windows.finish())

    def _predicted(self, windows: Iterator[Window]) -> list[Prediction]:
        return [self._listener.predict_window(window, self.options, self.name) for window in windows]


def answers(
    stream: Stream, blocks: Iterable[Float32s], sample_rate: int, timing: Timing
) -> Iterator[Prediction]:
    """Push blocks into a stream and give its predictions, keeping time.

    Args:
        stream: predicts.
        blocks: of samples, each of shape ``(n,)`` or ``(n, channels)``; when they end the stream is
            finished.
        sample_rate: of the blocks, in Hz.
        timing: is filled.

    Raises:
        AudioError: the blocks hold no sound that can be used.
    """
    for block in blocks:
        timing.sound_s += len(block) / sample_rate
        yield from _timed(partial(stream.push, block), timing)
    yield from _timed(stream.finish, timing)


def _timed(work: Any, timing: Timing) -> list[Prediction]:
    started = time.perf_counter()
    said: list[Prediction] = work()
    took = time.perf_counter() - started
    timing.busy_s += took
    timing.answers_s += [took] * len(said)
    return said


@contextmanager
def played(path: Path, *, live: bool) -> Iterator[tuple[int, Iterator[Float32s]]]:
    """A recording in blocks of a tenth of a second.

    Args:
        path: of the recording.
        live: give each block when it would have been heard; else at once.

    Yields:
        Sample rate in Hz, and the blocks.

    Raises:
        AudioMissing: it cannot be opened.
        AudioError: it cannot be decoded.
    """
    with file_blocks(path, shown(path)) as opened:
        blocks = _cut(opened, round(BLOCK_S * opened.sample_rate))
        yield opened.sample_rate, _paced(blocks, opened.sample_rate) if live else blocks


def _cut(blocks: Iterable[Float32s], size: int) -> Iterator[Float32s]:
    for block in blocks:
        for start in range(0, len(block), size):
            yield block[start : start + size]


def _paced(blocks: Iterable[Float32s], sample_rate: int) -> Iterator[Float32s]:
    started, heard_s = time.monotonic(), 0.0
    for block in blocks:
        heard_s += len(block) / sample_rate
        time.sleep(max(0.0, started + heard_s - time.monotonic()))
        yield block


@contextmanager
def microphone() -> Iterator[tuple[int, Iterator[Float32s]]]:
    """What the default microphone hears, until the block is left.

    Yields:
        Sample rate in Hz, and blocks of a tenth of a second without end.

    Raises:
        SettingsError: the extra ``listen``, PortAudio, or a microphone is missing.
    """
    try:
        import sounddevice
    except (ModuleNotFoundError, OSError):
        raise SettingsError(
            "listening needs sounddevice and PortAudio; pip install 'ser-pipeline[listen]', or play a "
            "recording with --file"
        ) from None
    heard: queue.SimpleQueue[Float32s | None] = queue.SimpleQueue()

    def arrived(samples: Any, _frames: int, _time: Any, _status: Any) -> None:
        heard.put(samples[:, 0].copy())

    try:
        stream = sounddevice.InputStream(
            MICROPHONE_RATE,
            blocksize=round(BLOCK_S * MICROPHONE_RATE),
            channels=1,
            dtype="float32",
            callback=arrived,
            finished_callback=lambda: heard.put(None),
        )
        stream.start()
    except sounddevice.PortAudioError as error:
        raise SettingsError(f"no microphone can be used: {error}; play a recording with --file") from None
    with stream:
        yield MICROPHONE_RATE, _heard(heard)


def _heard(blocks: "queue.SimpleQueue[Float32s | None]") -> Iterator[Float32s]:
    """Blocks as they arrive.

    Raises:
        SettingsError: none arrives any more.
    """
    while True:
        try:
            block = blocks.get(timeout=SILENT_S)
        except queue.Empty:
            block = None
        if block is None:
            raise SettingsError("the microphone gives nothing any more; connect it and start again")
        yield block
