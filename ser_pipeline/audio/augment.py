"""Random changes to a recording: pitch, tempo, room, noise, band, loudness.

A variant of a recording is drawn from a generator seeded by (seed, recording, variant) alone, so it
is the same in any process and any order. All parameters are drawn first, in a fixed order and
whether they are used or not: another probability of one change leaves the others as they were.
audiomentations changes pitch, tempo and band; its transforms draw from global generators, which
is why each is made with parameters frozen.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.fft

from ser_pipeline.arrays import Float32s, as_samples
from ser_pipeline.dsp.kept import prepare_librosa
from ser_pipeline.options import WaveAugment

TELEPHONE_HZ: Final = (300.0, 3400.0)
"""Band of narrow-band telephony (ITU-T G.712)."""

ROLLOFF_DB: Final = 24
"""Steepness of filters, in dB an octave."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What is done to one variant; None leaves a change out.

    Attributes:
        semitones: of pitch.
        rate: of speech; the length is divided by it.
        rt60_s: reverberation time of a room.
        direct_db: level of the direct sound above the reverberation.
        snr_db: level above the noise.
        low_pass_hz: edge of a low-pass.
        telephone: band of a telephone.
        gain: factor.
        key: seeds the samples of room and noise.
    """

    semitones: float | None
    rate: float | None
    rt60_s: float | None
    direct_db: float
    snr_db: float | None
    low_pass_hz: float | None
    telephone: bool
    gain: float | None
    key: tuple[int, ...]


def augment(wave: Float32s, sample_rate: int, options: WaveAugment, *, digest: str, variant: int) -> Float32s:
    """Make one variant of a recording.

    Args:
        wave: mono samples, shape ``(samples,)``.
        sample_rate: in Hz.
        options: what may be done.
        digest: of the recording.
        variant: 0 is the recording as it is, 1 and above are random.

    Returns:
        Shape ``(samples,)``, or ``(samples / rate,)`` where the tempo changed.
    """
    wave = as_samples(wave)
    return apply(draw(options, digest=digest, variant=variant), wave, sample_rate) if variant else wave


def draw(options: WaveAugment, *, digest: str, variant: int) -> Draw:
    """Draw what is done to a variant; the same for the same arguments."""
    key = (options.seed, variant, int.from_bytes(digest.encode(), "big"))
    rng = np.random.default_rng(key)

    def one(probability: float, between: tuple[float, float]) -> float | None:
        chance, place = rng.random(2)
        return between[0] + place * (between[1] - between[0]) if chance < probability else None

    return Draw(
        semitones=one(options.pitch_p, options.pitch_semitones),
        rate=one(options.stretch_p, options.stretch_rate),
        rt60_s=one(options.room_p, options.room_rt60_s),
        direct_db=float(rng.uniform(*options.room_direct_db)),
        snr_db=one(options.noise_p, options.noise_snr_db),
        low_pass_hz=one(options.low_pass_p, options.low_pass_hz),
        telephone=one(options.telephone_p, (0.0, 0.0)) is not None,
        gain=one(options.gain_p, options.gain),
        key=key,
    )


def apply(drawn: Draw, wave: Float32s, sample_rate: int) -> Float32s:
    """Do what was drawn: to the voice, then the room, the microphone and the line.

    Args:
        drawn: from :func:`draw`.
        wave: mono samples, shape ``(samples,)``.
        sample_rate: in Hz.
    """
    if drawn.rate is not None:
        wave = _frozen("TimeStretch", wave, sample_rate, {"leave_length_unchanged": False}, rate=drawn.rate)
    if drawn.semitones is not None:
        wave = _frozen("PitchShift", wave, sample_rate, {}, num_semitones=drawn.semitones)
    if drawn.rt60_s is not None:
        rng = np.random.default_rng((*drawn.key, 1))
        wave = reverberate(wave, sample_rate, drawn.rt60_s, drawn.direct_db, rng)
    if drawn.snr_db is not None:
        wave = add_noise(wave, drawn.snr_db, np.random.default_rng((*drawn.key, 2)))
    if drawn.low_pass_hz is not None and drawn.low_pass_hz < sample_rate / 2:
        edge = drawn.low_pass_hz
        wave = _frozen("LowPassFilter", wave, sample_rate, {}, cutoff_freq=edge, rolloff=ROLLOFF_DB)
    if drawn.telephone and TELEPHONE_HZ[1] < sample_rate / 2:
        low, high = TELEPHONE_HZ
        band = {"center_freq": (low + high) / 2, "bandwidth": high - low}
        wave = _frozen("BandPassFilter", wave, sample_rate, {}, rolloff=ROLLOFF_DB, **band)
    return wave if drawn.gain is None else wave * np.float32(drawn.gain)


def add_noise(wave: Float32s, snr_db: float, rng: np.random.Generator) -> Float32s:
    """Add white noise at a level below that of the whole wave; silence stays silent.

    Args:
        wave: shape ``(samples,)``.
        snr_db: power of the wave over that of the noise.
        rng: draws the noise.
    """
    noise = rng.standard_normal(wave.size)
    power = np.mean(np.square(wave, dtype=np.float64)) / 10 ** (snr_db / 10)
    noisy: Float32s = (wave + np.sqrt(power / np.mean(noise**2)) * noise).astype(np.float32)
    return noisy


def reverberate(
    wave: Float32s, sample_rate: int, rt60_s: float, direct_db: float, rng: np.random.Generator
) -> Float32s:
    """Put a voice into a room: the sound itself, then noise that dies away exponentially.

    Args:
        wave: shape ``(samples,)``.
        sample_rate: in Hz.
        rt60_s: time in which the reverberation falls by 60 dB.
        direct_db: energy of the direct sound over that of the reverberation.
        rng: draws the room.

    Returns:
        Shape ``(samples,)``, at the power of the wave; what rings on after its end is cut.

    References:
        Polack's model of late reverberation: Gaussian noise under an exponential; see Kuttruff, "Room
        Acoustics", 2009, chapter 4.
    """
    time_s = np.arange(1, max(2, round(rt60_s * sample_rate))) / sample_rate
    tail = rng.standard_normal(time_s.size) * 10 ** (-3 * time_s / rt60_s)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(np.sum(tail**2))
    room = np.concatenate([[1.0], tail])
    points = scipy.fft.next_fast_len(wave.size + room.size - 1, real=True)
    spectrum = scipy.fft.rfft(wave.astype(np.float64), points) * scipy.fft.rfft(room, points)
    heard = scipy.fft.irfft(spectrum, points)[: wave.size]
    power, before = np.mean(heard**2), np.mean(np.square(wave, dtype=np.float64))
    return (heard * np.sqrt(before / power)).astype(np.float32) if power > 0 else wave


def _frozen(
    name: str, wave: Float32s, sample_rate: int, options: dict[str, Any], **parameters: float
) -> Float32s:
    """Apply a transform of audiomentations with parameters of our own."""
    prepare_librosa()
    import audiomentations

    transform = getattr(audiomentations, name)(p=1.0, **options)
    transform.parameters = {"should_apply": True, **parameters}
    transform.freeze_parameters()
    changed: Float32s = np.ascontiguousarray(transform(np.ascontiguousarray(wave), sample_rate))
    return changed
