"""What can be wrong with a recording: measured on its own samples, before anything is done to them."""

from typing import Final, NamedTuple

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

from ser_pipeline.arrays import Float32s, Float64s, as_samples
from ser_pipeline.audio.mono import MOST_DB, loudest_channel, mix_loss_db
from ser_pipeline.audio.prepare import FLOOR_DB
from ser_pipeline.dsp.mel import hann

FRAME_S: Final = 0.032
"""Length of the frames whose levels are compared, in seconds."""

LOUD_FRAMES: Final = 8
"""The level of a recording is that of its eighth loudest frame: a click is shorter, a syllable longer."""

SILENT_BELOW_DB: Final = 25.0
"""Frames this far below the level of their recording are pauses."""

SPECTRUM_FRAMES: Final = 64
"""The spectrum is the mean of this many of the loudest frames: two seconds of speech."""

LOWEST_EDGE_HZ: Final = 2_000.0
HIGHEST_EDGE: Final = 0.85
"""An edge is looked for from here up to this share of half the sample rate: converters have theirs above."""

EDGE_HZ: Final = 250.0
"""Distance of the frequencies below and above an edge that are compared with it."""

SMOOTH_HZ: Final = 150.0
"""Width of the mean over neighbouring frequencies, wider than the gap between a woman's harmonics is deep."""

CLIPPED_RUN: Final = 3
"""As many neighbouring samples at the very same extreme are not a wave's own peak."""

SAME: Final = 2.0**-16
"""Values that differ by less than this share of the extreme are the same."""


class Quality(NamedTuple):
    """What was measured on a recording; all but the first and the last on its loudest channel.

    Attributes:
        clipped: share of samples in runs of three or more at the channel's highest or lowest value.
        offset: mean of the samples, as a share of full scale.
        level_db: RMS of the eighth loudest frame of 32 ms, in dB of full scale, without the offset.
        range_db: ``level_db`` less the level that one frame in twenty stays below, which is its noise.
        silence: share of frames more than 25 dB below ``level_db``.
        edge_hz: frequency above which the spectrum falls most steeply for good; 0 if too short to tell.
        edge_db: by how much it falls there, within 500 Hz.
        mix_loss_db: power of the channels less that of their mean, offsets apart, in dB; 0 for one channel.
    """

    clipped: float
    offset: float
    level_db: float
    range_db: float
    silence: float
    edge_hz: float
    edge_db: float
    mix_loss_db: float


def measure_quality(samples: Float32s, sample_rate: int) -> Quality:
    """Measure a recording.

    Args:
        samples: shape ``(samples, channels)``, at least one frame of 32 ms.
        sample_rate: in Hz.

    Examples:
        >>> sine = np.sin(2 * np.pi * 500 * np.arange(16_000) / 16_000).astype(np.float32)
        >>> found = measure_quality(np.stack([sine, -0.5 * sine], axis=1), 16_000)
        >>> round(found.level_db, 2), round(found.mix_loss_db, 2), found.clipped
        (-3.01, 10.0, 0.0)
    """
    samples = as_samples(samples)
    channel = samples[:, loudest_channel(samples)]
    offset = float(channel.mean(dtype=np.float64))
    wave = channel - np.float32(offset)
    length = round(FRAME_S * sample_rate)
    frames = wave.size // length
    blocks = wave[: frames * length].reshape(frames, length)
    power = np.square(blocks).mean(axis=1, dtype=np.float64)
    levels = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    ordered = np.sort(levels)
    level_db = float(ordered[-min(LOUD_FRAMES, max(1, frames // 2))])
    edge_hz, edge_db = _edge(blocks, levels, sample_rate)
    return Quality(
        clipped=_clipped(samples),
        offset=offset,
        level_db=level_db,
        range_db=min(MOST_DB, level_db - float(np.percentile(ordered, 5))),
        silence=float(np.mean(levels < level_db - SILENT_BELOW_DB)),
        edge_hz=edge_hz,
        edge_db=edge_db,
        mix_loss_db=mix_loss_db(samples),
    )


def _clipped(samples: Float32s) -> float:
    """Share of samples in flat runs at an extreme of their channel."""
    clipped = 0
    for channel in samples.T:
        for extreme in (float(channel.max()), float(channel.min())):
            at = np.flatnonzero(np.abs(channel - np.float32(extreme)) <= SAME * abs(extreme))
            if extreme and len(at) >= CLIPPED_RUN:
                runs = np.diff(np.flatnonzero(np.diff(at, prepend=-2, append=channel.size + 2) > 1))
                clipped += int(runs[runs >= CLIPPED_RUN].sum())
    return clipped / samples.size


def _edge(frames: Float32s, levels: Float64s, sample_rate: int) -> tuple[float, float]:
    """Where the spectrum of the loud frames falls most steeply and never comes back, and by how much."""
    chosen = frames[np.argsort(-levels)[:SPECTRUM_FRAMES]]
    spectrum = scipy.fft.rfft(chosen * hann(frames.shape[1]), axis=1)
    power = np.square(spectrum.real).mean(axis=0) + np.square(spectrum.imag).mean(axis=0)
    bin_hz = sample_rate / frames.shape[1]
    smooth = uniform_filter1d(power, max(1, round(SMOOTH_HZ / bin_hz)))
    smooth = 10 * np.log10(np.maximum(smooth, 1e-14))  # a running sum may end a little below zero
    highest_above = np.maximum.accumulate(smooth[::-1])[::-1]
    near = max(2, round(EDGE_HZ / bin_hz))
    first, last = round(LOWEST_EDGE_HZ / bin_hz), int(HIGHEST_EDGE * len(smooth)) - near
    if last <= first or first < near:
        return 0.0, 0.0
    falls = smooth[first - near : last - near] - highest_above[first + near : last + near]
    place = int(np.argmax(falls))
    return (first + place) * bin_hz, float(falls[place])
