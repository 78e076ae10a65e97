"""Array types: one name for each element type, so that every room writes them alike."""

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Int8s = npt.NDArray[np.int8]
Int64s = npt.NDArray[np.int64]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Complex64s = npt.NDArray[np.complex64]
Complex128s = npt.NDArray[np.complex128]
Strings = npt.NDArray[np.str_]
Series = dict[str, Floats]
"""Named numbers per frame, shape ``(frames,)`` each."""
