"""Options of the front end: from samples to a mel spectrogram."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ser_pipeline.options.base import OFF, Count, Options, Positive, Share

FRONT_END_VERSION = 3
"""Raised whenever the same settings give other numbers; part of every store's fingerprint."""


class FrontEnd(Options):
    """From samples to a mel spectrogram; the defaults are preset ``default``.

    Attributes:
        sample_rate: in Hz; every recording is resampled to it and mixed to mono.
        denoise: ``reference`` calls noisereduce's non-stationary gate, ``gate`` is the same
            gate computed faster, ``none`` leaves the noise.
        prop_decrease: share of the gated energy that is taken away.
        trim_db: frames this far below the loudest one are cut from both ends; None keeps all.
        level: ``clip_rms`` scales each clip to ``target_rms``; ``corpus_rms`` moves each corpus
            as a whole, so that loud clips stay louder; ``none`` keeps the recorded level.
        target_rms: of full scale.
        n_fft: window length in samples.
        hop_length: samples between frames.
        n_mels: mel bands.
        max_s: longest stretch a network sees at once, in seconds; the rest is cut.
        reference: ``one`` measures dB against 1.0, ``clip_max`` against the clip's loudest cell.
        floor_db: quietest value that is told apart; at ``reference = one`` it maps to -1.
        ceiling_db: maps to +1 at ``reference = one``; louder cells go beyond, nothing is clipped.
        scale: ``fixed`` maps [floor_db, ceiling_db] to [-1, 1], ``clip_minmax`` each clip's own range.
        pad_value: of frames after the clip's end.
    """

    kind: ClassVar[str] = "mels"

    sample_rate: Count = 22_050
    denoise: Literal["gate", "reference", "none"] = "gate"
    prop_decrease: Share = 1.0
    trim_db: Annotated[Positive | None, OFF] = 20.0
    level: Literal["clip_rms", "corpus_rms", "none"] = "clip_rms"
    target_rms: Positive = 0.1
    n_fft: Count = 2048
    hop_length: Count = 512
    n_mels: Annotated[int, Field(ge=8, le=256)] = 96
    max_s: Positive = 4.0
    reference: Literal["one", "clip_max"] = "one"
    floor_db: float = -80.0
    ceiling_db: float = 40.0
    scale: Literal["fixed", "clip_minmax"] = "fixed"
    pad_value: float = -1.0

    @property
    def max_frames(self) -> int:
        """Frames of the longest clip: centred windows, one per hop."""
        return 1 + round(self.max_s * self.sample_rate) // self.hop_length

    @property
    def stored(self) -> "FrontEnd":
        """The options the store is keyed by: a corpus's level is set when clips are read."""
        return self.model_copy(update={"level": "none"}) if self.level == "corpus_rms" else self

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.floor_db >= self.ceiling_db:
            raise ValueError(f"floor_db {self.floor_db} must lie below ceiling_db {self.ceiling_db}")
        if self.level == "corpus_rms" and (self.reference, self.scale) != ("one", "fixed"):
            raise ValueError("level corpus_rms needs reference one and scale fixed")
        return self
