"""The part of the front end that works on samples: gate, trim, level."""

import math
from dataclasses import dataclass

import numpy as np

from ser_pipeline.arrays import Float32s, Float64s, as_samples
from ser_pipeline.dsp import plain
from ser_pipeline.dsp.compiled import fused, otherwise, vectorised
from ser_pipeline.dsp.gate import spectral_gate
from ser_pipeline.options import FrontEnd

FLOOR_DB = -200.0
"""Level of perfect silence."""

FRAME = 2048
HOP = 512


@dataclass(frozen=True, slots=True)
class Prepared:
    """A wave that is ready for its features.

    Attributes:
        wave: denoised, trimmed and levelled, shape ``(samples,)``.
        level_db: its RMS before it was levelled, in dB of full scale.
        span: first and end sample of what trimming kept, counted in the decoded wave.
        gated: the whole wave after the gate, before it was trimmed, shape ``(decoded samples,)``.
    """

    wave: Float32s
    level_db: float
    span: tuple[int, int]
    gated: Float32s


@otherwise(plain.energy)
@vectorised
def energy(wave: Float32s) -> float:
    """Sum of squares.

    Args:
        wave: shape ``(samples,)``.

    Examples:
        >>> energy(np.full(4, 0.5, np.float32))
        1.0
    """
    return _energy(wave)


@otherwise(plain.block_energies)
@vectorised
def block_energies(wave: Float32s, block: int) -> Float64s:
    """Sum of squares of each block of samples; the last block may be shorter.

    Args:
        wave: shape ``(samples,)``.
        block: samples in a block.

    Returns:
        Shape ``(ceil(samples / block),)``.

    Examples:
        >>> block_energies(np.ones(5, np.float32), 2)
        array([2., 2., 1.])
    """
    energies = np.empty((len(wave) + block - 1) // block, np.float64)
    for number in range(len(energies)):
        energies[number] = _energy(wave[number * block : (number + 1) * block])
    return energies


@fused
def _energy(wave: Float32s) -> float:
    total = 0.0
    for i in range(len(wave)):
        total += np.float64(wave[i]) * np.float64(wave[i])
    return total


def rms_db(wave: Float32s) -> float:
    """RMS level in dB; an RMS of 1.0 is 0 dB.

    Args:
        wave: shape ``(samples,)``.

    Examples:
        >>> rms_db(np.full(4, 0.1, np.float32))
        -20.0
        >>> rms_db(np.zeros(4, np.float32))
        -200.0
    """
    wave = as_samples(wave)
    power = energy(wave) / wave.size if wave.size else 0.0
    return round(10 * math.log10(power), 6) if power > 10 ** (FLOOR_DB / 10) else FLOOR_DB


def to_level(wave: Float32s, target_rms: float) -> Float32s:
    """Scale a wave to an RMS of ``target_rms``; silence stays as it is, nothing is clipped.

    Args:
        wave: shape ``(samples,)``.
        target_rms: of full scale.

    Returns:
        Shape ``(samples,)``.
    """
    wave = as_samples(wave)
    rms = math.sqrt(energy(wave) / wave.size) if wave.size else 0.0
    return wave * np.float32(target_rms / rms) if rms > 0 else wave


def active_span(wave: Float32s, trim_db: float) -> tuple[int, int]:
    """Samples between the first and the last frame that is near the loudest one.

    Frames of 2,048 samples every 512, centred, as ``librosa.effects.trim`` has them.

    Args:
        wave: mono samples, shape ``(samples,)``.
        trim_db: frames more than this below the loudest count as silence, in dB.

    Returns:
        First sample and the one after the last; the whole wave if all of it is silent.

    Examples:
        >>> wave = np.zeros(20_480, np.float32)
        >>> wave[10_240:12_288] = 0.5
        >>> active_span(wave, 20.0)
        (9728, 13312)
    """
    power = _frame_power(as_samples(wave))
    loud = np.flatnonzero(power > power.max() * 10 ** (-trim_db / 10))
    if loud.size == 0:
        return 0, wave.size
    return int(loud[0]) * HOP, min(wave.size, (int(loud[-1]) + 1) * HOP)


def _frame_power(wave: Float32s) -> Float64s:
    """Mean square of each centred frame, shape ``(1 + samples // HOP,)``."""
    blocks = FRAME // HOP
    frames = 1 + wave.size // HOP
    own = block_energies(wave, HOP)
    energies = np.zeros(frames + blocks, np.float64)
    energies[blocks // 2 : blocks // 2 + own.size] = own
    power: Float64s = np.convolve(energies, np.full(blocks, 1 / FRAME), "valid")[:frames]
    return power


def prepare(wave: Float32s, front_end: FrontEnd) -> Prepared:
    """Gate, trim and level a wave, in this order.

    Args:
        wave: mono samples at ``front_end.sample_rate``, shape ``(samples,)``.
        front_end: its ``denoise``, ``prop_decrease``, ``trim_db``, ``level`` and ``target_rms``.
    """
    gated = wave = as_samples(wave)
    if front_end.denoise != "none":
        gated = spectral_gate(
            wave,
            front_end.sample_rate,
            prop_decrease=front_end.prop_decrease,
            reference=front_end.denoise == "reference",
        )
    span = (0, gated.size) if front_end.trim_db is None else active_span(gated, front_end.trim_db)
    kept = gated[span[0] : span[1]]
    level_db = rms_db(kept)
    if front_end.level == "clip_rms":
        kept = to_level(kept, front_end.target_rms)
    return Prepared(kept, level_db, span, gated)
