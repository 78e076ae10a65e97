"""Array types, one name for each element type; and samples of any type as those that everything works on."""

import numpy as np
import numpy.typing as npt

from ser_pipeline.errors import AudioError

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int16s = npt.NDArray[np.int16]
Int64s = npt.NDArray[np.int64]
Ints = npt.NDArray[np.integer]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Complex64s = npt.NDArray[np.complex64]
Complex128s = npt.NDArray[np.complex128]
Strings = npt.NDArray[np.str_]
ByteStrings = npt.NDArray[np.bytes_]
Series = dict[str, Floats]
"""Named numbers per frame, shape ``(frames,)`` each."""


def as_samples(values: npt.ArrayLike) -> Float32s:
    """Samples as float32 in [-1, 1]; integers are divided by their own full scale.

    Args:
        values: of any shape. Floating-point numbers of any width are taken as they are; of integers with up
            to 32 bits, the greatest magnitude that the type holds is full scale, and the middle of an
            unsigned type is silence.

    Returns:
        The same array where it is float32, contiguous and may be written to; else a copy. Compiled loops
        thus see one kind of array.

    Raises:
        AudioError: of another type, which has no full scale, or no array.

    Examples:
        >>> as_samples(np.array([-32768, 0, 16384], np.int16))
        array([-1. ,  0. ,  0.5], dtype=float32)
        >>> as_samples(np.array([0, 128, 192], np.uint8))
        array([-1. ,  0. ,  0.5], dtype=float32)
    """
    try:
        found = np.asarray(values)
    except ValueError:
        raise AudioError("samples must be an array of numbers, found rows of different lengths") from None
    kind, bits = found.dtype.kind, 8 * found.dtype.itemsize
    if kind == "f":
        return np.require(found, np.float32, ["C", "W"])
    if kind not in "iu" or bits > 32:
        raise AudioError(
            f"samples of type {found.dtype} have no full scale; pass floating-point numbers in [-1, 1], or "
            "integers of 8, 16 or 32 bits"
        )
    full = float(1 << (bits - 1))
    scaled: Float32s = ((found - (full if kind == "u" else 0.0)) / full).astype(np.float32)
    return scaled
