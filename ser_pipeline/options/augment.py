"""Options of random changes to waves, and of those to mels beyond masks."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from ser_pipeline.options.base import Options, Positive, Share

AUGMENT_VERSION: Final = 1
"""Raised whenever the same options give other samples; to be part of a store's fingerprint."""


def _rising(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise ValueError(f"a range must rise, {values[0]} is above {values[1]}")
    return values


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
"""Lowest and highest value, drawn evenly between them."""
PositiveRange = Annotated[tuple[Positive, Positive], AfterValidator(_rising)]


class WaveAugment(Options):
    """Random changes to a recording, drawn anew for each variant of it.

    Each change has a probability ``<change>_p``; those that the source report does not name are off.

    Attributes:
        pitch_semitones: shift of the pitch at the same length.
        stretch_rate: of speech at the same pitch; 1.15 is 15 % faster.
        room_rt60_s: time in which reverberation falls by 60 dB, in seconds.
        room_direct_db: level of the voice itself above its reverberation.
        noise_snr_db: level of the recording above white noise.
        low_pass_hz: edge of a low-pass of 24 dB an octave; left out where it is not below Nyquist.
        telephone_p: probability of a band of 300 to 3,400 Hz.
        gain: factor on all samples; nothing is clipped.
        seed: of all draws.
    """

    pitch_p: Share = 0.5
    pitch_semitones: Range = (-4.0, 4.0)
    stretch_p: Share = 0.3
    stretch_rate: PositiveRange = (0.85, 1.15)
    room_p: Share = 0.0
    room_rt60_s: PositiveRange = (0.2, 0.8)
    room_direct_db: Range = (0.0, 10.0)
    noise_p: Share = 0.5
    noise_snr_db: Range = (15.0, 30.0)
    low_pass_p: Share = 0.0
    low_pass_hz: PositiveRange = (4000.0, 8000.0)
    telephone_p: Share = 0.0
    gain_p: Share = 0.0
    gain: PositiveRange = (0.5, 1.5)
    seed: Annotated[int, Field(ge=0)] = 0


class Mixup(Options):
    """Training on two clips in one.

    Attributes:
        alpha: both parameters of the Beta distribution of a clip's share; at 0.2 most pairs are nearly
            one clip, at 1 every share is as likely.
    """

    alpha: Positive = 0.2


class RandomGain(Options):
    """Louder and quieter clips.

    Attributes:
        gain_db: how much is added to every valid cell, in dB.
    """

    gain_db: Range = (-6.0, 6.0)


class RandomCrop(Options):
    """A random stretch of each clip in its place.

    Attributes:
        share: least share of a clip's frames that is kept.
    """

    share: Annotated[float, Field(gt=0, le=1)] = 0.8
