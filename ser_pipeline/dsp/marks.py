"""Period marks: one point in each cycle of the voice, and the amplitude there."""

import math
from dataclasses import dataclass

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s, Int64s
from ser_pipeline.dsp.compiled import compiled
from ser_pipeline.dsp.frames import Frames, unbroken
from ser_pipeline.dsp.pitch import Pitch

SHORTEST = 0.8
"""Shortest next cycle that is looked for, in cycles of the frame's pitch."""

LONGEST = 1.25
"""Longest next cycle that is looked for, in cycles of the frame's pitch."""

ALIKE = 0.3
"""Least correlation of two neighbouring cycles."""

REACH = 0.2
"""Half-width, in cycles, of the window in which a mark's amplitude is measured."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Period marks of a clip in order of time.

    Attributes:
        at: positions in samples, between the samples, shape ``(marks,)``.
        amplitude: Hann-weighted RMS around each mark, as a share of the clip's peak, shape ``(marks,)``.
        chain: marks that follow one another cycle by cycle share a number, shape ``(marks,)``.
    """

    at: Float64s
    amplitude: Float64s
    chain: Int64s


def mark_periods(frames: Frames, pitch: Pitch) -> Marks:
    """Mark the cycles of every voiced run.

    From the loudest sample near the middle of a run, steps of one cycle go both ways: each to
    the place where the next cycle is most alike (the greatest normalised cross-correlation
    within 0.8 to 1.25 times the expected period), found between the samples by a parabola.
    Where no cycle is alike, the walk passes over one period and starts a new chain.

    Args:
        frames: of the clip.
        pitch: of its frames.

    References:
        Praat's "To PointProcess (cc)" describes a walk of the same kind.
    """
    places, chains = [np.empty(0)], [np.empty(0, np.int64)]
    number = 0
    for first, after in unbroken(pitch.voiced):
        at, breaks = _mark_run(frames, pitch, int(first), int(after))
        chain = number + np.cumsum(breaks)
        places.append(at)
        chains.append(chain)
        number = int(chain[-1]) + 1
    at, chain = np.concatenate(places), np.concatenate(chains)
    return Marks(at, _amplitudes(frames.wave, at, chain), chain)


def _mark_run(frames: Frames, pitch: Pitch, first: int, after: int) -> tuple[Float64s, Int64s]:
    """Marks of one run in order, and 1 where a mark does not follow the one before."""
    options = frames.options
    hop = float(options.hop_length)
    begin = first * hop + min(options.window_length, frames.wave.size) / 2  # centre of the first frame
    low = max(begin - hop / 2, 0.0)
    high = min(begin + (after - first - 0.5) * hop, frames.wave.size - 1.0)
    periods = options.sample_rate / pitch.hz[first:after]
    start = _loudest(frames.wave, (low + high) / 2, float(np.median(periods)) / 2)
    back, lost_back = _steps(frames.wave, periods, begin, hop, start, low, -1)
    ahead, lost_ahead = _steps(frames.wave, periods, begin, hop, start, high, 1)
    at = np.concatenate([back[::-1], [start], ahead])
    breaks = np.concatenate([np.zeros(1, np.int64), lost_back[::-1], lost_ahead])
    return at, breaks


@compiled
def _steps(
    wave: Float32s, periods: Float64s, begin: float, hop: float, start: float, limit: float, way: int
) -> tuple[Float64s, Int64s]:
    """Marks one way from ``start`` (not among them) to ``limit``, and which of them follow a gap."""
    room = int(abs(limit - start) / (SHORTEST * periods.min())) + 2
    at = np.empty(room)
    lost = np.zeros(room, np.int64)
    count = 0
    here = start
    gap = 0
    while count < room:
        frame = min(max((here - begin) / hop, 0.0), periods.size - 1.0)
        left = int(frame)
        right = min(left + 1, periods.size - 1)
        period = periods[left] + (frame - left) * (periods[right] - periods[left])
        step = _alike(wave, here, period, way)
        here += way * (step if step > 0 else period)
        if way * (limit - here) < 0:
            break
        if step > 0:
            at[count] = here
            lost[count] = gap
            count += 1
            gap = 0
        else:
            gap = 1
    return at[:count], lost[:count]


@compiled
def _loudest(wave: Float32s, middle: float, reach: float) -> float:
    """Place of the sample of greatest magnitude within ``reach`` of the middle."""
    first = max(0, int(middle - reach))
    last = min(wave.size, int(middle + reach) + 1)
    return first + float(np.argmax(np.abs(wave[first:last])))


@compiled
def _alike(wave: Float32s, mark: float, period: float, way: int) -> float:
    """Length of the next cycle in samples, 0 if none is alike or the wave ends."""
    width = max(round(period), 4)
    start = round(mark) - width // 2
    shortest = math.floor(SHORTEST * period)
    count = math.ceil(LONGEST * period) - shortest + 1
    if start < 0 or start + width > wave.size:
        return 0.0
    score = np.full(count, -2.0)
    own = wave[start : start + width]
    own_energy = np.dot(own, own)
    for index in range(count):
        begin = start + way * (shortest + index)
        if begin < 0 or begin + width > wave.size:
            continue
        other = wave[begin : begin + width]
        energy = own_energy * np.dot(other, other)
        if energy > 0:
            score[index] = np.dot(own, other) / math.sqrt(energy)
    best = int(np.argmax(score))
    if score[best] < ALIKE or best == 0 or best == count - 1:
        return 0.0
    before, here, after = score[best - 1], score[best], score[best + 1]
    if before < -1 or after < -1:
        return 0.0
    shift: float = 0.5 * (after - before) / (2 * here - before - after)
    return shortest + best + shift


@compiled
def _amplitudes(wave: Float32s, at: Float64s, chain: Int64s) -> Float64s:
    """Hann-weighted RMS from ``REACH`` cycles before to ``REACH`` cycles after each mark."""
    amplitude = np.zeros(at.size)
    for mark in range(at.size):
        left, right = 0.0, 0.0
        if mark > 0 and chain[mark - 1] == chain[mark]:
            left = at[mark] - at[mark - 1]
        if mark + 1 < at.size and chain[mark + 1] == chain[mark]:
            right = at[mark + 1] - at[mark]
        left, right = REACH * (left if left > 0 else right), REACH * (right if right > 0 else left)
        energy, total = 0.0, 0.0
        for sample in range(max(0, math.ceil(at[mark] - left)), min(wave.size, int(at[mark] + right) + 1)):
            offset = sample - at[mark]
            reach = left if offset < 0 else right
            if reach <= 0:
                continue
            weight = 0.5 + 0.5 * math.cos(math.pi * offset / reach)
            energy += weight * wave[sample] ** 2
            total += weight
        if total > 0:
            amplitude[mark] = math.sqrt(energy / total)
    return amplitude
