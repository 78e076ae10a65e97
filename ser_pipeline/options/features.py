"""Options of the hand-crafted features and of openSMILE's sets."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ser_pipeline.options.base import OFF, Count, Options, Positive

LAG_MARGIN = 24
"""Samples beyond a lag that its autocorrelation is interpolated from."""

FEATURES_VERSION = 1
"""Raised whenever the same settings give other features; part of every store's fingerprint."""

FeatureSet = Literal["named", "egemaps", "compare"]
FEATURE_SETS: tuple[FeatureSet, ...] = ("named", "egemaps", "compare")
"""``named`` is our own; the others are openSMILE's."""


class FeatureOptions(Options):
    """From samples to the named hand-crafted features.

    Attributes:
        sample_rate: in Hz; every corpus has 16,000, so that no feature tells a corpus by its bandwidth.
        n_fft: length of the one Fourier transform in samples; it must hold three periods of
            ``pitch_floor_hz`` and the longest lag.
        hop_length: samples between frames.
        n_mels: mel bands under the MFCCs and the onset strength.
        pitch_floor_hz: lowest pitch searched; it sets the analysis window.
        pitch_ceiling_hz: highest pitch searched in speech.
        song_ceiling_hz: highest pitch searched in song.
        formant_ceiling_hz: upper end of the band the formants are fitted in.
        speech_db: frames further than this below the clip's loud frames are not speech.
        trim_db: frames this far below the loudest one are cut from both ends; None keeps all.
        voice: who measures pitch, voice quality and formants: ``own``, or ``praat`` (extra ``praat``).
    """

    kind: ClassVar[str] = "features"

    sample_rate: Annotated[int, Field(ge=16_000)] = 16_000
    n_fft: Annotated[int, Field(ge=2, multiple_of=2)] = 1024
    hop_length: Count = 160
    n_mels: Annotated[int, Field(ge=21)] = 40
    pitch_floor_hz: Positive = 65.0
    pitch_ceiling_hz: Positive = 500.0
    song_ceiling_hz: Positive = 1000.0
    formant_ceiling_hz: Positive = 5500.0
    speech_db: Positive = 30.0
    trim_db: Annotated[Positive | None, OFF] = 30.0
    voice: Literal["own", "praat"] = "own"

    @property
    def stored(self) -> Self:
        """The options the store is keyed by: all of them."""
        return self

    @property
    def window_length(self) -> int:
        """Samples of the analysis window: three periods of the lowest pitch."""
        return 2 * round(1.5 * self.sample_rate / self.pitch_floor_hz)

    def ceiling_hz(self, modality: str) -> float:
        """Highest pitch searched in ``speech`` or ``song``, in Hz."""
        return self.song_ceiling_hz if modality == "song" else self.pitch_ceiling_hz

    @model_validator(mode="after")
    def _fits(self) -> Self:
        needed = self.window_length + math.ceil(self.sample_rate / self.pitch_floor_hz) + LAG_MARGIN
        if self.n_fft < needed:
            raise ValueError(f"n_fft {self.n_fft} is too short for pitch_floor_hz: at least {needed}")
        ceilings = (self.pitch_ceiling_hz, self.song_ceiling_hz)
        if not 2 * self.pitch_floor_hz <= min(ceilings) <= max(ceilings) <= self.sample_rate / 8:
            raise ValueError("pitch ceilings must lie between twice the floor and an eighth of sample_rate")
        if not 4000 <= self.formant_ceiling_hz <= self.sample_rate / 2:
            raise ValueError("formant_ceiling_hz must lie between 4000 and half of sample_rate")
        return self


class SmileOptions(Options):
    """One of openSMILE's feature sets (extra ``opensmile``).

    Attributes:
        feature_set: ``egemaps`` is eGeMAPSv02 (88 functionals), ``compare`` ComParE 2016 (6,373).
        sample_rate: in Hz; as for our own features.
        trim_db: frames this far below the loudest one are cut from both ends; None keeps all.
    """

    feature_set: Literal["egemaps", "compare"]
    sample_rate: Annotated[int, Field(ge=16_000)] = 16_000
    trim_db: Annotated[Positive | None, OFF] = 30.0

    @property
    def kind(self) -> str:
        """Name of the stores of this set."""
        return self.feature_set

    @property
    def stored(self) -> Self:
        """The options the store is keyed by: all of them."""
        return self
