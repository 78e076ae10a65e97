"""The one wave of a recording: its channels mixed, no constant offset, and whether it can be used.

Everything that looks at samples starts here: ``ser manifest build --decode``, the doctor, stores, and
predictions on files, on waves and on each window of a stream. So all judge the same signal by one rule.
"""

import math
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.errors import AudioEmpty, AudioForeign, AudioShort, AudioSilent
from ser_pipeline.records import CANCELLED_DB, MIN_CLIP_S
from ser_pipeline.tables.cells import plural

SILENT_PEAK: Final = 1e-4
"""A wave that never gets this far from its offset, as a share of full scale (-80 dB), is silent. In 16 bits
these are three steps, of which nothing can be learned; dither leaves as much of a pause."""

LOUDEST_PEAK: Final = 1e6
"""Samples beyond this many times full scale are not sound; squared they would overflow."""

MOST_DB: Final = 120.0
"""Greater losses and ranges of level are given as this."""


def mix_loss_db(samples: Float32s) -> float:
    """Power of the channels less that of their mean, offsets apart.

    Args:
        samples: shape ``(samples, channels)``, at least one sample.

    Returns:
        In dB; 0 for one channel, at most 120.

    Examples:
        >>> left = np.sin(np.arange(1_000, dtype=np.float32))
        >>> round(mix_loss_db(np.stack([left, -0.5 * left], axis=1)), 2)
        10.0
    """
    *channels, mix = _powers(samples)
    power = sum(channels) / max(1, len(channels))
    if not 0 < power < math.inf or not math.isfinite(mix):
        return 0.0
    return min(MOST_DB, 10 * math.log10(power / mix)) if mix else MOST_DB


def lone_channel(samples: Float32s) -> int | None:
    """The channel that stands alone, from 0 on, because the channels cancel each other; None for their mean.

    Args:
        samples: shape ``(samples, channels)``, at least one sample.
    """
    return loudest_channel(samples) if mix_loss_db(samples) > CANCELLED_DB else None


def loudest_channel(samples: Float32s) -> int:
    """The channel with the most power, offsets apart, from 0 on.

    Args:
        samples: shape ``(samples, channels)``, at least one sample.
    """
    return int(np.argmax(_powers(samples)[:-1])) if samples.shape[1] > 1 else 0


def _powers(samples: Float32s) -> list[float]:
    """Sum of squares of each channel without its mean; of several channels, that of their mean comes last."""
    if samples.shape[1] == 1:
        return [0.0]
    with np.errstate(invalid="ignore", over="ignore"):
        waves = np.ascontiguousarray(samples.T)
        waves = waves - waves.mean(axis=1, dtype=np.float64).astype(np.float32)[:, None]
        return [float(wave @ wave) for wave in (*waves, waves.mean(axis=0, dtype=np.float32))]


def mixed(samples: Float32s) -> Float32s:
    """One wave of all channels around 0; nothing is refused.

    Zeros at either end are padding that somebody added: they count for nothing, and stay 0.

    Args:
        samples: shape ``(samples,)``, or ``(samples, channels)``.

    Returns:
        The mean of the channels, or the loudest one if their mean loses more than 12 dB, less its own mean
        over time; shape ``(samples,)``.

    Examples:
        >>> mixed(np.array([0, 0, 0.75, 0.25, 0], np.float32)).tolist()
        [0.0, 0.0, 0.25, -0.25, 0.0]
        >>> mixed(np.array([[0.5, -0.5], [-0.5, 0.5]], np.float32)).tolist()
        [0.5, -0.5]
    """
    return _around_zero(_of_channels(samples))


def usable(samples: Float32s, sample_rate: float, name: str) -> Float32s:
    """The wave of :func:`mixed`, if it can be used.

    Args:
        samples: shape ``(samples,)``, or ``(samples, channels)``.
        sample_rate: in Hz.
        name: of the recording, for messages.

    Raises:
        AudioError: empty, non-finite, absurdly loud, or shorter than 0.1 s.
        AudioSilent: nothing can be heard.
    """
    if not len(samples):
        raise AudioEmpty(f"{name}: empty: the recording has no samples")
    wave = _of_channels(samples)
    loudest = max(float(wave.max()), -float(wave.min()))  # NaN if any sample is
    if not math.isfinite(loudest):
        bad = int(np.count_nonzero(~np.isfinite(wave)))
        raise AudioForeign(f"{name}: non-finite: {plural(bad, 'sample is', 'samples are')} NaN or infinite")
    if len(wave) < MIN_CLIP_S * sample_rate:
        found_ms = 1000 * len(wave) / sample_rate
        raise AudioShort(f"{name}: too short: {found_ms:.0f} ms; at least {1000 * MIN_CLIP_S:.0f} ms")
    if loudest > LOUDEST_PEAK:
        raise AudioForeign(f"{name}: no sound: samples up to {loudest:.0e} times full scale")
    wave = _around_zero(wave)
    if max(float(wave.max()), -float(wave.min())) < SILENT_PEAK:
        raise AudioSilent(f"{name}: silent: no sample is {SILENT_PEAK:g} of full scale away from their mean")
    return wave


def _of_channels(samples: Float32s) -> Float32s:
    if samples.ndim == 1:
        return samples
    channel = 0 if samples.shape[1] == 1 or not len(samples) else lone_channel(samples)
    with np.errstate(invalid="ignore"):
        return _mean(samples) if channel is None else samples[:, channel]


def _mean(samples: Float32s) -> Float32s:
    """Mean of the channels; over rows that lie one after another it is ten times faster."""
    mean: Float32s = np.ascontiguousarray(samples.T).mean(axis=0, dtype=np.float32)
    return mean


def _around_zero(wave: Float32s) -> Float32s:
    """A copy of a wave without its offset."""
    wave = wave.copy()
    heard = wave != 0
    if heard.any():
        inside = wave[heard.argmax() : wave.size - heard[::-1].argmax()]
        with np.errstate(invalid="ignore", over="ignore"):
            inside -= np.float32(inside.mean(dtype=np.float64))
    return wave
