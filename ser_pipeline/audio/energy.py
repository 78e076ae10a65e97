"""Energies of samples, summed in float64 without a float64 copy of the wave."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.compiled import fused, vectorised

Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]


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
