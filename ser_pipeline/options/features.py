"""Options of the hand-crafted features and of openSMILE's sets."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ser_pipeline.options.base import OFF, Count, Options, Positive, option

LAG_MARGIN = 24
"""Samples beyond a lag that its autocorrelation is interpolated from."""

FEATURES_VERSION = 2
"""Raised whenever the same settings give other features; part of every store's fingerprint."""

FeatureSet = Literal["named", "egemaps", "compare"]
"""``named`` is our own; the others are openSMILE's."""


class FeatureOptions(Options):
    """From samples to the named hand-crafted features."""

    kind: ClassVar[str] = "features"

    sample_rate: Annotated[int, Field(ge=16_000)] = option(
        16_000,
        "Resample every recording to this rate, in Hz; every corpus has at least 16,000, so no feature can "
        "reveal a corpus by its bandwidth.",
    )
    n_fft: Annotated[int, Field(ge=2, multiple_of=2)] = option(
        1024,
        "Use this many samples in the Fourier transform; it must hold three periods of the lowest pitch, "
        "and the longest lag.",
    )
    hop_length: Count = option(160, "Start a frame every this many samples.")
    n_mels: Annotated[int, Field(ge=21)] = option(
        40, "Compute MFCCs and onset strength from this many mel bands."
    )
    pitch_floor_hz: Positive = option(
        65.0, "Search for no pitch below this one, in Hz; it sets the analysis window."
    )
    pitch_ceiling_hz: Positive = option(500.0, "Search for no pitch above this one in speech, in Hz.")
    song_ceiling_hz: Positive = option(1000.0, "Search for no pitch above this one in song, in Hz.")
    formant_ceiling_hz: Positive = option(5500.0, "Fit formants in the band below this frequency, in Hz.")
    speech_db: Positive = option(
        30.0, "Treat frames more than this many dB below the clip's loud frames as silence."
    )
    trim_db: Annotated[Positive | None, OFF] = option(
        30.0, "Cut frames this many dB below the loudest one from both ends; 'none' keeps all."
    )
    voice: Literal["own", "praat"] = option(
        "own",
        "Measure pitch, voice quality and formants with the toolkit's own code, or with Praat (extra "
        "'praat').",
    )

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
    """One of openSMILE's feature sets (extra ``opensmile``)."""

    feature_set: Literal["egemaps", "compare"] = Field(
        description="Which set: 'egemaps' is eGeMAPSv02 (88 functionals), 'compare' ComParE 2016 (6,373)."
    )
    sample_rate: Annotated[int, Field(ge=16_000)] = option(
        16_000, "Resample every recording to this rate, in Hz, as for the toolkit's own features."
    )
    trim_db: Annotated[Positive | None, OFF] = option(
        30.0, "Cut frames this many dB below the loudest one from both ends; 'none' keeps all."
    )

    @property
    def kind(self) -> str:
        """Name of the stores of this set."""
        return self.feature_set

    @property
    def stored(self) -> Self:
        """The options the store is keyed by: all of them."""
        return self
