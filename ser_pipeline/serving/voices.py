"""A few recordings by the synthetic voice, for a page without anybody's recording."""

from typing import Final

import numpy as np
import numpy.typing as npt

from ser_pipeline.acquire.synth import ROOMS
from ser_pipeline.acquire.synth.perform import Part, perform

_SAID: Final = (("angry", "anger", "w1"), ("happy", "happiness", "m1"), ("sad", "sadness", "w1"))


def example_waves(seed: int = 0) -> list[tuple[str, npt.NDArray[np.float32], int]]:
    """Name, samples and sample rate in Hz of each."""
    rate = ROOMS["emodb"].sample_rate
    return [
        (f"synthetic-{name}", perform(_part(emotion, voice), seed), rate) for name, emotion, voice in _SAID
    ]


def _part(emotion: str, voice: str) -> Part:
    return Part(
        corpus="emodb", voice=voice, sex="female" if voice.startswith("w") else "male", emotion=emotion,
        sentence="a01", language="de",
    )  # fmt: skip
