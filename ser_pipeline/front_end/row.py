"""What the front end makes of one recording."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """One recording as the store keeps it.

    Attributes:
        values: mels of shape ``(n_mels, max_frames)``, where frames from ``frames`` on are padding, or
            features of shape ``(features,)``.
        frames: mel frames that hold sound; 1 for a vector of features.
        level_db: RMS level of the trimmed wave before levelling, in dB of full scale.
        span: first and end sample of what the values were made of, counted in the wave.
    """

    values: Float32s
    frames: int
    level_db: float
    span: tuple[int, int]
