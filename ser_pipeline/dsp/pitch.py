"""Pitch from the normalised autocorrelation, and the best path through its candidates.

The method is that of Boersma (1993), "Accurate short-term analysis of the fundamental frequency
and the harmonics-to-noise ratio of a sampled sound": the autocorrelation of a windowed frame
divided by that of the window, its maxima interpolated by a windowed sinc, and the path that
weighs their strengths against jumps. It is computed for all frames at once from the powers that
the spectral features use.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft

from ser_pipeline.arrays import Bools, Float32s, Float64s, Int64s
from ser_pipeline.dsp.compiled import compiled
from ser_pipeline.dsp.frames import Frames
from ser_pipeline.dsp.mel import hann
from ser_pipeline.options import LAG_MARGIN, FeatureOptions

CANDIDATES = 14
"""Most maxima kept per frame."""

VOICING_THRESHOLD = 0.45
"""Strength of the unvoiced candidate of a loud frame."""

SILENCE_THRESHOLD = 0.03
"""Frames whose peak is below this share of the clip's are likely unvoiced."""

OCTAVE_COST = 0.01
"""Strength a candidate loses per octave below the ceiling."""

JUMP_COST = 0.35
"""Cost per octave between successive frames, for frames 10 ms apart."""

VOICING_COST = 0.14
"""Cost of a change between voiced and unvoiced, for frames 10 ms apart."""

RUMBLE_HZ = 43.0
"""Powers below this frequency hold a frame's offset and rumble, and no pitch."""

TAPS = 24
"""Samples on each side from which a value between the samples is interpolated; at most ``LAG_MARGIN``."""

_TAPS = np.arange(-TAPS, TAPS + 1)
_COSINES = np.cos(np.pi * _TAPS / TAPS)
_SINES = np.sin(np.pi * _TAPS / TAPS)
_SIGNS = (-1.0) ** _TAPS


@dataclass(frozen=True, slots=True)
class Pitch:
    """Pitch of each frame.

    Attributes:
        hz: fundamental frequency, 0 in unvoiced frames, shape ``(frames,)``.
        strength: normalised autocorrelation at its period, in [0, 1], shape ``(frames,)``.
    """

    hz: Float64s
    strength: Float64s

    @property
    def voiced(self) -> Bools:
        """Frames that have a pitch, shape ``(frames,)``."""
        voiced: Bools = self.hz > 0
        return voiced


def track_pitch(frames: Frames, ceiling_hz: float) -> Pitch:
    """Follow the pitch of a clip.

    Args:
        frames: of the clip.
        ceiling_hz: highest pitch searched; the lowest is ``pitch_floor_hz`` of the options.

    References:
        Boersma, P. (1993). Proceedings of the Institute of Phonetic Sciences 17, 97-110.
    """
    options = frames.options
    hz, strength = _candidates(
        autocorrelations(frames), options.sample_rate, options.pitch_floor_hz, ceiling_hz
    )
    unvoiced = VOICING_THRESHOLD + np.maximum(
        0, 2 - _peaks(frames) * (1 + VOICING_THRESHOLD) / SILENCE_THRESHOLD
    )
    path = _best_path(hz, strength, unvoiced, ceiling_hz, 0.01 / frames.hop_s)
    rows = np.arange(frames.count)
    return Pitch(hz[rows, path], strength[rows, path])


def autocorrelations(frames: Frames) -> Float32s:
    """Autocorrelation of each frame over the window's own, 1 at lag 0, shape ``(frames, lags)``.

    A silent frame has zeros everywhere.
    """
    options = frames.options
    lags = math.ceil(options.sample_rate / options.pitch_floor_hz) + LAG_MARGIN
    low = math.ceil(RUMBLE_HZ * options.n_fft / options.sample_rate)
    power = frames.power.copy()
    power[:, :low] = 0
    # powers are real and even, so that a cosine transform inverts them
    found = scipy.fft.dct(power, type=1, axis=1, overwrite_x=True)[:, :lags]
    scale = np.maximum(found[:, :1], np.finfo(np.float32).tiny) * _window_correlation(options)[:lags]
    return np.ascontiguousarray(found / scale)


@lru_cache(maxsize=8)
def _window_correlation(options: FeatureOptions) -> Float32s:
    """The window's normalised autocorrelation, shape ``(n_fft,)``."""
    window = hann(options.window_length).astype(np.float64)
    spectrum = np.fft.rfft(window, n=options.n_fft)
    found = np.fft.irfft(np.abs(spectrum) ** 2, n=options.n_fft)
    return np.asarray(found / found[0], np.float32)


def _peaks(frames: Frames) -> Float64s:
    """Loudest sample in the middle of each frame, as a share of the clip's, shape ``(frames,)``."""
    options = frames.options
    length = min(options.window_length, frames.wave.size)
    start, middle = length // 3, max(1, length // 3)
    view = np.lib.stride_tricks.sliding_window_view(np.abs(frames.wave), middle)
    return np.asarray(view[start :: options.hop_length][: frames.count].max(axis=1), np.float64)


@compiled
def _candidates(
    correlation: Float32s, sample_rate: int, floor_hz: float, ceiling_hz: float
) -> tuple[Float64s, Float64s]:
    """The strongest maxima of each frame; column 0 is the unvoiced candidate."""
    frames = correlation.shape[0]
    hz = np.zeros((frames, CANDIDATES + 1))
    strength = np.zeros((frames, CANDIDATES + 1))
    first = max(2, int(sample_rate / ceiling_hz) - 1)
    last = min(correlation.shape[1] - 2, math.ceil(sample_rate / floor_hz) + 1)
    for frame in range(frames):
        row = correlation[frame]
        found = 0
        for lag in range(first, last):
            here = row[lag]
            if here < 0.5 * VOICING_THRESHOLD or here <= row[lag - 1] or here < row[lag + 1]:
                continue
            at, height = _summit(row, lag)
            pitch = sample_rate / at
            if pitch < floor_hz or pitch > ceiling_hz or height <= 0:
                continue
            height = min(height, 1 / height)  # interpolation may pass 1, where the order turns round
            slot = found + 1
            if found == CANDIDATES:  # full: the weakest makes room
                slot = 1 + int(np.argmin(_worth(hz[frame, 1:], strength[frame, 1:], ceiling_hz)))
                rival = strength[frame, slot] - OCTAVE_COST * math.log2(ceiling_hz / hz[frame, slot])
                if height - OCTAVE_COST * math.log2(ceiling_hz / pitch) <= rival:
                    continue
            else:
                found += 1
            hz[frame, slot] = pitch
            strength[frame, slot] = height
    return hz, strength


@compiled
def _worth(hz: Float64s, strength: Float64s, ceiling_hz: float) -> Float64s:
    return strength - OCTAVE_COST * np.log2(ceiling_hz / hz)


@compiled
def _summit(row: Float32s, lag: int) -> tuple[float, float]:
    """Place and height of the maximum near a lag, between the samples.

    A parabola through three samples says where to look; three values of the sinc interpolation
    around that place give the parabola that says where the maximum is.
    """
    before, here, after = float(row[lag - 1]), float(row[lag]), float(row[lag + 1])
    at = lag + 0.5 * (after - before) / (2 * here - before - after)
    step = 0.2
    before, here, after = _between(row, at - step), _between(row, at), _between(row, at + step)
    bend = 2 * here - before - after
    if bend <= 0:
        return at, here
    shift = 0.5 * (after - before) / bend
    shift = min(max(shift, -2.0), 2.0)
    return at + shift * step, here + 0.25 * (after - before) * shift


@compiled
def _between(row: Float32s, at: float) -> float:
    """Value between samples, by a sinc under a raised cosine of ``TAPS`` samples each side."""
    near = math.floor(at)
    part = at - near
    if part < 1e-9:
        return float(row[near])
    sine = math.sin(math.pi * part) / math.pi
    turned, lifted = math.cos(math.pi * part / TAPS), math.sin(math.pi * part / TAPS)
    total = 0.0
    for tap in range(1 - TAPS, TAPS + 1):
        index = abs(near + tap)  # an autocorrelation is even
        if index >= row.size:
            break
        distance = part - tap
        turn = turned * _COSINES[tap + TAPS] + lifted * _SINES[tap + TAPS]
        total += row[index] * (0.5 + 0.5 * turn) / distance * _SIGNS[tap + TAPS]
    return total * sine


@compiled
def _best_path(
    hz: Float64s, strength: Float64s, unvoiced: Float64s, ceiling_hz: float, pace: float
) -> Int64s:
    """Candidate of each frame on the path of greatest total strength less costs (Viterbi)."""
    frames, width = hz.shape
    came = np.zeros((frames, width), np.int64)
    total = np.empty(width)
    update = np.empty(width)
    for frame in range(frames):
        for to in range(width):
            own = unvoiced[frame]
            if to > 0:
                own = -1e30  # an empty slot
                if hz[frame, to] > 0:
                    own = strength[frame, to] - OCTAVE_COST * math.log2(ceiling_hz / hz[frame, to])
            best, where = 0.0, 0
            if frame > 0:
                best = -1e300
                for origin in range(width):
                    reached = total[origin] - pace * _cost(hz[frame - 1, origin], hz[frame, to])
                    if reached > best:
                        best, where = reached, origin
            update[to] = best + own
            came[frame, to] = where
        for to in range(width):
            total[to] = update[to]
    path = np.zeros(frames, np.int64)
    path[-1] = np.argmax(total)
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came[frame, path[frame]]
    return path


@compiled
def _cost(origin_hz: float, to_hz: float) -> float:
    if origin_hz == 0 and to_hz == 0:
        return 0.0
    if origin_hz == 0 or to_hz == 0:
        return VOICING_COST
    return JUMP_COST * abs(math.log2(origin_hz / to_hz))
