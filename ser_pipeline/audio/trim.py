"""Find where the sound starts and ends."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio.energy import block_energies

Float32s = npt.NDArray[np.float32]

FRAME = 2048
HOP = 512


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
    power = _frame_power(wave)
    loud = np.flatnonzero(power > power.max() * 10 ** (-trim_db / 10))
    if loud.size == 0:
        return 0, wave.size
    return int(loud[0]) * HOP, min(wave.size, (int(loud[-1]) + 1) * HOP)


def _frame_power(wave: Float32s) -> npt.NDArray[np.float64]:
    """Mean square of each centred frame, shape ``(1 + samples // HOP,)``."""
    blocks = FRAME // HOP
    frames = 1 + wave.size // HOP
    own = block_energies(wave, HOP)
    energies = np.zeros(frames + blocks, np.float64)
    energies[blocks // 2 : blocks // 2 + own.size] = own
    power: npt.NDArray[np.float64] = np.convolve(energies, np.full(blocks, 1 / FRAME), "valid")[:frames]
    return power
