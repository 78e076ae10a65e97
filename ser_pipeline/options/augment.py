"""Options of random changes to waves, and of those to mels beyond masks."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from ser_pipeline.options.base import LIST, Options, Positive, Share, option

AUGMENT_VERSION: Final = 1
"""Raised whenever the same options give other samples; to be part of a store's fingerprint."""


def _rising(values: tuple[float, float]) -> tuple[float, float]:
    if values[0] > values[1]:
        raise ValueError(f"a range must rise, but {values[0]} is above {values[1]}")
    return values


Range = Annotated[tuple[float, float], LIST, AfterValidator(_rising)]
"""Lowest and highest value, drawn uniformly between them."""
PositiveRange = Annotated[tuple[Positive, Positive], LIST, AfterValidator(_rising)]


class WaveAugment(Options):
    """Random changes to a recording, drawn again for each variant of it.

    Each change has a probability ``<change>_p``; those that the source report does not name are off.
    """

    pitch_p: Share = option(0.5, "Shift the pitch, without changing the length, with this probability.")
    pitch_semitones: Range = option((-4.0, 4.0), "Draw the shift, in semitones, uniformly from this range.")
    stretch_p: Share = option(0.3, "Change the tempo, without changing the pitch, with this probability.")
    stretch_rate: PositiveRange = option(
        (0.85, 1.15), "Multiply the tempo by a factor drawn uniformly from this range; 1.15 is 15 % faster."
    )
    room_p: Share = option(0.0, "Add reverberation with this probability.")
    room_rt60_s: PositiveRange = option(
        (0.2, 0.8),
        "Draw the time in which the reverberation falls by 60 dB, in seconds, uniformly from this range.",
    )
    room_direct_db: Range = option(
        (0.0, 10.0), "Draw by how many dB the voice exceeds its reverberation, uniformly from this range."
    )
    noise_p: Share = option(0.5, "Add white noise with this probability.")
    noise_snr_db: Range = option(
        (15.0, 30.0), "Draw by how many dB the recording exceeds the noise, uniformly from this range."
    )
    low_pass_p: Share = option(0.0, "Cut high frequencies, by 24 dB per octave, with this probability.")
    low_pass_hz: PositiveRange = option(
        (4000.0, 8000.0),
        "Draw the cutoff, in Hz, uniformly from this range; one at or above Nyquist cuts nothing.",
    )
    telephone_p: Share = option(
        0.0, "Keep only the band of a telephone, 300 to 3,400 Hz, with this probability."
    )
    gain_p: Share = option(0.0, "Change the level with this probability.")
    gain: PositiveRange = option(
        (0.5, 1.5), "Multiply all samples by a factor drawn uniformly from this range; nothing is clipped."
    )
    seed: Annotated[int, Field(ge=0)] = option(0, "Draw all changes from this seed.")


class Mixup(Options):
    """Training on two clips in one."""

    alpha: Positive = option(
        0.2,
        "Draw a clip's share from a Beta distribution with this for both parameters: at 0.2 most pairs are "
        "nearly one clip, at 1 every share is equally likely.",
    )


class RandomGain(Options):
    """Louder and quieter clips."""

    gain_db: Range = option(
        (-6.0, 6.0), "Draw the gain in dB, which is added to every valid bin, uniformly from this range."
    )


class RandomCrop(Options):
    """A random stretch of each clip in its place."""

    share: Annotated[float, Field(gt=0, le=1)] = option(0.8, "Keep at least this share of a clip's frames.")
