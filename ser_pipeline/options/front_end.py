"""Options of the front end: from samples to a mel spectrogram."""

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from ser_pipeline.options.base import OFF, Count, Options, Positive, Share, option

FRONT_END_VERSION = 4
"""Raised whenever the same settings give other numbers; part of every store's fingerprint."""


GATE_RATES = range(5_120, 256_001)
"""Sample rates at which the noise gate can smooth its mask."""


_WITHOUT_EFFECT: Final = {
    "prop_decrease": ("denoise", "none"),
    "target_rms": ("level", "none"),
    "ceiling_db": ("scale", "clip_minmax"),
}
"""Option -> the other one, and its value, that makes it idle."""


class FrontEnd(Options):
    """From samples to a mel spectrogram."""

    kind: ClassVar[str] = "mels"

    sample_rate: Count = option(22_050, "Resample every recording to this rate, in Hz, and mix it to mono.")
    denoise: Literal["gate", "reference", "none"] = option(
        "gate",
        "Reduce noise in this way: 'reference' calls noisereduce's non-stationary gate, 'gate' computes "
        "the same faster, 'none' leaves the noise in.",
    )
    prop_decrease: Share = option(1.0, "Remove this share of the gated energy.", paper=0.5)
    trim_db: Annotated[Positive | None, OFF] = option(
        20.0,
        "Cut frames this many dB below the loudest one from both ends; 'none' keeps all.",
    )
    level: Literal["clip_rms", "corpus_rms", "none"] = option(
        "clip_rms",
        "Treat loudness in this way: 'clip_rms' scales each clip to the target level, 'corpus_rms' shifts "
        "each corpus as a whole, so that loud clips stay louder, 'none' keeps the recorded level.",
    )
    target_rms: Positive = option(0.1, "Scale clips to this level, as a share of full scale.")
    n_fft: Count = option(2048, "Use windows of this many samples in the Fourier transform.")
    hop_length: Count = option(512, "Start a frame every this many samples.")
    n_mels: Annotated[int, Field(ge=8, le=256)] = option(96, "Compute this many mel bands.")
    max_s: Positive = option(4.0, "Look at no more than this many seconds at once; the rest is cut off.")
    reference: Literal["one", "clip_max"] = option(
        "one",
        "Measure decibels against 1.0 ('one') or against the clip's loudest bin ('clip_max').",
        paper="clip_max",
    )
    floor_db: float = option(
        -80.0, "Raise lower levels to this one, in dB; with reference 'one' it maps to -1."
    )
    ceiling_db: float = option(
        40.0,
        "Map this level, in dB, to +1 with reference 'one'; louder bins go beyond, nothing is clipped.",
    )
    scale: Literal["fixed", "clip_minmax"] = option(
        "fixed",
        "Map a range of decibels to [-1, 1]: 'fixed' takes floor_db to ceiling_db, 'clip_minmax' each "
        "clip's own range.",
        paper="clip_minmax",
    )
    pad_value: Annotated[float, Field(ge=-100, le=100)] = option(
        -1.0, "Give this value to frames after the end of a clip."
    )

    @property
    def max_frames(self) -> int:
        """Frames of the longest clip: centred windows, one per hop."""
        return 1 + round(self.max_s * self.sample_rate) // self.hop_length

    @property
    def idle(self) -> dict[str, str]:
        """Options without effect, each with what makes it so.

        Examples:
            >>> FrontEnd(level="none").idle
            {'target_rms': 'level none'}
        """
        return {
            name: f"{other} {value}"
            for name, (other, value) in _WITHOUT_EFFECT.items()
            if getattr(self, other) == value
        }

    @property
    def stored(self) -> "FrontEnd":
        """The options the store is keyed by: those with an effect; a corpus's level is set at reading."""
        made = self.model_copy(update={"level": "none"}) if self.level == "corpus_rms" else self
        return made.model_copy(update={name: FrontEnd.model_fields[name].default for name in made.idle})

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.floor_db >= self.ceiling_db and "ceiling_db" not in self.idle:
            raise ValueError(f"floor_db {self.floor_db} must lie below ceiling_db {self.ceiling_db}")
        if self.level == "corpus_rms" and (self.reference, self.scale) != ("one", "fixed"):
            raise ValueError("level corpus_rms needs reference one and scale fixed")
        if self.denoise != "none" and self.sample_rate not in GATE_RATES:
            raise ValueError(
                f"denoise {self.denoise} needs a sample_rate from {GATE_RATES[0]} to {GATE_RATES[-1]} Hz; "
                f"it is {self.sample_rate}"
            )
        return self
