"""The part of the front end that works on samples: gate, trim, level."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_pipeline.audio.gate import spectral_gate
from ser_pipeline.audio.level import rms_db, to_level
from ser_pipeline.audio.trim import active_span
from ser_pipeline.settings import FrontEnd

Float32s = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A wave that is ready for its features.

    Attributes:
        wave: denoised, trimmed and levelled, shape ``(samples,)``.
        level_db: its RMS before it was levelled, in dB of full scale.
        span: first and end sample of what trimming kept, counted in the decoded wave.
    """

    wave: Float32s
    level_db: float
    span: tuple[int, int]


def prepare(wave: Float32s, front_end: FrontEnd) -> Prepared:
    """Gate, trim and level a wave, in this order.

    Args:
        wave: mono samples at ``front_end.sample_rate``, shape ``(samples,)``.
        front_end: its ``denoise``, ``prop_decrease``, ``trim_db``, ``level`` and ``target_rms``.
    """
    if front_end.denoise != "none":
        wave = spectral_gate(
            wave,
            front_end.sample_rate,
            prop_decrease=front_end.prop_decrease,
            reference=front_end.denoise == "reference",
        )
    span = (0, wave.size) if front_end.trim_db is None else active_span(wave, front_end.trim_db)
    wave = wave[span[0] : span[1]]
    level_db = rms_db(wave)
    if front_end.level == "clip_rms":
        wave = to_level(wave, front_end.target_rms)
    return Prepared(wave, level_db, span)
