"""The voice: its pitch contour, the regularity of its cycles, its noise and its slope."""

import math
from functools import lru_cache

import numpy as np
import scipy.fft

from ser_pipeline.arrays import Bools, Float32s, Float64s, Series
from ser_pipeline.dsp.formants import harmonic_levels
from ser_pipeline.dsp.frames import Frames, band, bins_hz, decibels
from ser_pipeline.dsp.marks import Marks
from ser_pipeline.dsp.pitch import Pitch
from ser_pipeline.features.energy import slope
from ser_pipeline.options import FeatureOptions

SEMITONE_ZERO_HZ = 27.5
"""Pitch of semitone 0: A0."""

FINAL_S = 0.2
"""Length of voice whose slope is the final one, in seconds."""

PERIOD_FACTOR = 1.3
"""Neighbouring cycles whose lengths differ by more do not count for jitter, nor for shimmer."""

AMPLITUDE_FACTOR = 1.6
"""Neighbouring cycles whose amplitudes differ by more do not count for shimmer."""

SINGLES = (
    "jitter_local", "jitter_absolute", "jitter_rap", "jitter_ppq5", "shimmer_local", "shimmer_db",
    "shimmer_apq3", "shimmer_apq5", "shimmer_apq11",
)  # fmt: skip
"""What :func:`voice_singles` gives."""

CLEAREST = 1 - 1e-6
"""Greatest autocorrelation whose noise is told: 60 dB."""

TILT_HZ = (100.0, 5000.0)
"""Band over which the tilt is fitted."""

FIRST_QUEFRENCY_S = 0.001
"""The cepstrum's trend is fitted from here on."""


def semitones(hz: Float64s) -> Float64s:
    """Pitches in semitones above 27.5 Hz; NaN where the pitch is 0, shape kept.

    Examples:
        >>> semitones(np.array([55.0, 440.0, 0.0]))
        array([12., 48., nan])
    """
    positive = np.where(hz > 0, hz, np.nan)
    found: Float64s = 12 * np.log2(positive / SEMITONE_ZERO_HZ)
    return found


def pitch_series(frames: Frames, pitch: Pitch) -> Series:
    """Pitch, its change and its strength; NaN where they are not defined, each of shape ``(frames,)``."""
    voiced = pitch.voiced
    tones = semitones(pitch.hz)
    change = np.full(frames.count, np.nan)
    change[1:] = np.diff(tones) / frames.hop_s  # NaN unless both frames are voiced
    return {
        "pitch_hz": np.where(voiced, pitch.hz, np.nan),
        "pitch_st": tones,
        "pitch_change": change,
        "voicing": np.where(voiced, pitch.strength, np.nan),
    }


def pitch_singles(frames: Frames, pitch: Pitch) -> dict[str, float]:
    """Course of the pitch over the clip and shares of voiced frames; 0 without a voiced frame."""
    voiced = pitch.voiced
    found = np.flatnonzero(voiced)
    times, tones = found * frames.hop_s, semitones(pitch.hz[voiced])
    third = max(1, tones.size // 3)
    steps = np.diff(tones)[np.diff(found) == 1]
    final = times > times[-1] - FINAL_S if found.size else np.zeros(0, np.bool_)
    speech = int(np.count_nonzero(frames.speech))
    return {
        "pitch_trend": slope(times, tones),
        "pitch_shift": float(tones[-third:].mean() - tones[:third].mean()) if found.size else 0.0,
        "pitch_final_slope": slope(times[final], tones[final]),
        "pitch_rising_share": float((steps > 0).mean()) if steps.size else 0.0,
        "voiced_share": float(voiced.mean()),
        "voiced_speech_share": np.count_nonzero(voiced & frames.speech) / speech if speech else 0.0,
    }


def voice_series(frames: Frames, pitch: Pitch, ceiling_hz: float) -> Series:
    """Noise, first harmonics, tilt and cepstral peak; NaN in unvoiced frames, each of shape ``(frames,)``.

    Args:
        frames: of the clip.
        pitch: of its frames.
        ceiling_hz: highest pitch searched.
    """
    voiced = pitch.voiced
    strength = np.clip(pitch.strength[voiced], 1e-6, CLEAREST)
    levels = decibels(frames.power[voiced]).astype(np.float32, copy=False)
    options = frames.options
    found = {
        "hnr": 10 * np.log10(strength / (1 - strength)),
        "h1_h2": harmonic_levels(frames, pitch, 1) - harmonic_levels(frames, pitch, 2),
        "tilt": levels[:, band(options, *TILT_HZ)] @ _tilt_weights(options),
        "cpp": cepstral_prominence(levels, options, ceiling_hz),
    }
    series: Series = {}
    for name, values in found.items():
        series[name] = np.full(frames.count, np.nan)
        series[name][voiced] = values
    return series


def cepstral_prominence(levels: Float32s, options: FeatureOptions, ceiling_hz: float) -> Float64s:
    """Height of the cepstrum's peak over its trend in dB, shape ``(frames,)``.

    Args:
        levels: powers in dB, shape ``(frames, 1 + n_fft // 2)``.
        options: of the transform.
        ceiling_hz: highest pitch searched.

    References:
        Hillenbrand, Cleveland & Erickson (1994), "Acoustic correlates of breathy vocal quality".
    """
    first = math.ceil(FIRST_QUEFRENCY_S * options.sample_rate)
    shortest = math.floor(options.sample_rate / ceiling_hz)
    longest = math.ceil(options.sample_rate / options.pitch_floor_hz)
    # levels are real and even, so that a cosine transform inverts them
    cepstrum = scipy.fft.dct(levels, type=1, axis=1)[:, : longest + 1] / np.float32(options.n_fft)
    height = 20 * np.log10(np.maximum(np.abs(cepstrum), 1e-6)).astype(np.float64)
    peak = shortest + np.argmax(height[:, shortest:], axis=1)
    place = np.arange(first, longest + 1) - (first + longest) / 2
    slope = height[:, first:] @ place / (place @ place)
    trend = height[:, first:].mean(axis=1) + slope * (peak - (first + longest) / 2)
    prominence: Float64s = height[np.arange(len(height)), peak] - trend
    return prominence


def voice_singles(marks: Marks, sample_rate: int) -> dict[str, float]:
    """Jitter and shimmer over the clip's cycles; 0 where there are too few.

    Jitter compares the lengths of neighbouring cycles, shimmer their amplitudes: ``local`` each
    with the next, ``rap``/``apq3``, ``ppq5``/``apq5`` and ``apq11`` each with the mean of 3, 5 or
    11 around it; all are relative to the overall mean.

    Args:
        marks: of the clip.
        sample_rate: in Hz.

    References:
        Farrús, Hernando & Ejarque (2007), "Jitter and shimmer measurements for speaker recognition".
    """
    if marks.at.size < 3:
        return dict.fromkeys(SINGLES, 0.0)
    period = np.diff(marks.at) / sample_rate
    linked = np.diff(marks.chain) == 0
    even = linked[1:] & linked[:-1] & (_ratio(period) <= PERIOD_FACTOR)
    mean = float(period[linked].mean()) if linked.any() else 1.0
    local = _mean(np.abs(np.diff(period)), even)
    height = marks.amplitude
    alike = linked & (_ratio(height) <= AMPLITUDE_FACTOR)
    loud = _mean(height, height > 0) or 1.0
    decibel = np.abs(20 * np.log10(np.where(alike, height[1:] / np.where(alike, height[:-1], 1), 1)))
    found = {
        "jitter_local": local / mean,
        "jitter_absolute": local * 1e6,
        "jitter_rap": _from_mean(period, even, 3) / mean,
        "jitter_ppq5": _from_mean(period, even, 5) / mean,
        "shimmer_local": _mean(np.abs(np.diff(height)), alike) / loud,
        "shimmer_db": _mean(decibel, alike),
    }
    return found | {f"shimmer_apq{n}": _from_mean(height, alike, n) / loud for n in (3, 5, 11)}


def _ratio(values: Float64s) -> Float64s:
    """Greater over smaller of each two neighbours, infinite where one is not positive."""
    greater, smaller = np.maximum(values[1:], values[:-1]), np.minimum(values[1:], values[:-1])
    ratio: Float64s = np.where(smaller > 0, greater / np.where(smaller > 0, smaller, 1), np.inf)
    return ratio


def _mean(values: Float64s, where: Bools) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _from_mean(values: Float64s, linked: Bools, width: int) -> float:
    """Mean distance of a value from the mean of the ``width`` around it, all of them linked."""
    if values.size < width:
        return 0.0
    whole = np.asarray(np.lib.stride_tricks.sliding_window_view(linked, width - 1).all(axis=1))
    around = np.lib.stride_tricks.sliding_window_view(values, width)
    return _mean(np.abs(around[:, width // 2] - around.mean(axis=1)), whole)


@lru_cache(maxsize=8)
def _tilt_weights(options: FeatureOptions) -> Float32s:
    """Weights whose product with levels is the least-squares slope in dB per octave.

    Each bin counts by the octaves it spans, so that the many high ones do not rule.
    """
    hz = bins_hz(options)[band(options, *TILT_HZ)]
    octave, share = np.log2(hz), 1 / hz / (1 / hz).sum()
    centred = octave - share @ octave
    return np.asarray(share * centred / (share @ np.square(centred)), np.float32)
