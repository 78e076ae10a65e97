"""Loudness of a whole recording: measure it, set it."""

import math

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio.energy import energy

Float32s = npt.NDArray[np.float32]

FLOOR_DB = -200.0
"""Level of perfect silence."""


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
    rms = math.sqrt(energy(wave) / wave.size) if wave.size else 0.0
    return wave * np.float32(target_rms / rms) if rms > 0 else wave
