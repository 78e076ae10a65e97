"""Array types, one name for each element type; what a column holds, and samples of any type, as arrays."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ser_pipeline.errors import AudioError

if TYPE_CHECKING:
    import pyarrow as pa

N = TypeVar("N", bound=np.generic)

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


def numbers_of(column: "pa.ChunkedArray", kind: type[N]) -> npt.NDArray[N]:
    """Numbers of a column without nulls, shape ``(rows,)``; a view of it where it lies in one piece.

    Unlike Arrow's own ``to_numpy``, this does not load pandas, which takes half a second.

    Args:
        column: of a type of fixed size.
        kind: what the numbers are.

    Examples:
        >>> import pyarrow as pa
        >>> numbers_of(pa.chunked_array([[1, 2], [3]], pa.int16()).slice(1), np.int16)
        array([2, 3], dtype=int16)
    """
    size = column.type.byte_width
    parts = [
        np.frombuffer(chunk.buffers()[1], kind, size * len(chunk) // kind().itemsize, size * chunk.offset)
        for chunk in column.chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, kind), *parts])


def texts_of(column: "pa.ChunkedArray") -> Strings:
    """Texts of a column, shape ``(rows,)``."""
    return np.asarray(column.to_numpy(zero_copy_only=False), np.str_)


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
