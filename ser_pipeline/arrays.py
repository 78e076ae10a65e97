"""Array types: one name for each element type, so that every room writes them alike."""

import numpy as np
import numpy.typing as npt

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
