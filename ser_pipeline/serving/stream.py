"""Windows of sound that arrives bit by bit, and predictions on them.

Windows end every ``hop_s``, first after a second; each reaches back ``window_s``, or to the
beginning. One more ends where the sound ends. The same windows come out however the sound is cut
into pieces, so a stream and a file of the same samples give the same predictions.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import soxr

from ser_pipeline.arrays import Float32s
from ser_pipeline.errors import AudioError
from ser_pipeline.serving.prediction import Prediction, PredictOptions

if TYPE_CHECKING:
    from ser_pipeline.serving.model import Model


FIRST_S: Final = 1.0
"""Sound that is waited for before the first window, in seconds."""

LIVE_HOP_S: Final = 0.5
"""From one prediction of a live stream to the next, in seconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of sound.

    Attributes:
        wave: mono samples at the model's rate, shape ``(samples,)``.
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

    def __init__(self, sample_rate: int, wanted_rate: int, window_s: float, hop_s: float) -> None:
        same = sample_rate == wanted_rate
        self._resampler = (
            None if same else soxr.ResampleStream(sample_rate, wanted_rate, 1, dtype="float32", quality="HQ")
        )
        self._rates = (sample_rate, wanted_rate)
        self._length = max(1, round(window_s * wanted_rate))
        self._hop = max(1, round(hop_s * wanted_rate))
        self._end = self._hop * max(1, math.ceil(FIRST_S * wanted_rate / self._hop))  # of the next window
        self._held = np.zeros(0, np.float32)
        self._held_from = 0
        self._arrived = 0
        self._last_end = 0

    def push(self, samples: Float32s) -> Iterator[Window]:
        """Take the next samples, shape ``(n,)``, and give the windows they complete."""
        self._arrived += samples.size
        yield from self._take(self._resampled(samples, last=False))

    def finish(self) -> Iterator[Window]:
        """Give what the end completes: at most a few windows, the last one up to the last sample.

        Raises:
            AudioError: nothing arrived.
        """
        if not self._arrived:
            raise AudioError("empty: the recording has no samples")
        yield from self._take(self._resampled(np.zeros(0, np.float32), last=True))
        total = self._held_from + self._held.size
        if total > self._last_end:
            yield self._window(total)

    def _resampled(self, samples: Float32s, *, last: bool) -> Float32s:
        if self._resampler is None:
            return samples
        made: Float32s = self._resampler.resample_chunk(np.ascontiguousarray(samples), last=last)
        if last:
            own, wanted = self._rates
            due = -(-self._arrived * wanted // own) - (self._held_from + self._held.size)
            made = made[: max(0, due)]
        return made

    def _take(self, samples: Float32s) -> Iterator[Window]:
        self._held = np.concatenate([self._held, samples])
        total = self._held_from + self._held.size
        while total >= self._end:
            yield self._window(self._end)
            self._last_end, self._end = self._end, self._end + self._hop
        # the last window may end with the very next sample
        first = max(0, min(self._end, total) - self._length - self._held_from)
        self._held, self._held_from = self._held[first:], self._held_from + first

    def _window(self, end: int) -> Window:
        start = max(0, end - self._length)
        return Window(self._held[start - self._held_from : end - self._held_from].copy(), start)


class Stream:
    """Predict on sound as it arrives.

    Args:
        model: it predicts.
        sample_rate: of what will be pushed, in Hz.
        options: length and distance of windows, and the like.
        name: of the recording.

    Raises:
        RunError: the model needs to know the speaker.

    Examples:
        >>> stream = Stream(load_model("runs/best"), 16_000)  # doctest: +SKIP
        >>> for block in microphone:  # doctest: +SKIP
        ...     for said in stream.push(block):
        ...         print(said.end_s, said.decision)
    """

    def __init__(
        self, model: "Model", sample_rate: int, options: PredictOptions | None = None, *, name: str = "stream"
    ) -> None:
        model.check_speaker()
        self.options = options or PredictOptions()
        self.name = name
        self._model = model
        self._windows = Windows(
            sample_rate,
            model.sample_rate,
            self.options.window_s or model.longest_s,
            self.options.hop_s or LIVE_HOP_S,
        )

    def push(self, samples: npt.ArrayLike) -> list[Prediction]:
        """Take the next samples and predict on the windows they complete.

        Args:
            samples: mono, shape ``(n,)``, or of several channels, which are averaged, ``(n, channels)``.

        Returns:
            None or more predictions, in order of time.

        Raises:
            AudioError: samples that are no numbers, or of another shape.
        """
        wave = np.asarray(samples, np.float32)
        if wave.ndim == 2:
            wave = wave.mean(axis=1, dtype=np.float32)
        if wave.ndim != 1:
            raise AudioError(f"samples of shape (n,) or (n, channels) are needed, found {wave.shape}")
        return self._said(self._windows.push(wave))

    def finish(self) -> list[Prediction]:
        """Predict on what is left when the sound ends.

        Raises:
            AudioError: nothing was pushed, or less than 0.1 s.
        """
        return self._said(self._windows.finish())

    def _said(self, windows: Iterator[Window]) -> list[Prediction]:
        return [self._model.predict_window(window, self.options, self.name) for window in windows]
