"""Recognise a recording again after it was re-encoded, cut, or brought to another level or sample rate.

Two descriptions of a take survive all of that. The first are 16 bits for every 16 ms: whether the
difference between neighbouring bands has grown within the last 64 ms (after Haitsma and Kalker, "A
Highly Robust Audio Fingerprinting System", ISMIR 2002). They find the place where two recordings
fit. But an actor who repeats a sentence can repeat its timing too, so the second is the wave itself,
as the signs of its samples between 150 and 1,000 Hz: two takes share a melody, but not a phase.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
import soxr

from ser_pipeline.arrays import Bools, Float32s, Float64s, as_samples
from ser_pipeline.dsp.frames import hann

RATE: Final = 8_000
"""Sample rate at which bits are found, in Hz: telephone speech has all that they need."""

WINDOW: Final = 2_048
HOP: Final = 128
LAG: Final = 4
"""Frames between the two that a bit compares."""

BANDS: Final = 17
LOW_HZ: Final = 300.0
HIGH_HZ: Final = 3_000.0

ACTIVE: Final = 1e-3
"""Frames below this share of the loudest one's power are pauses, whose bits mean nothing."""

SIGN_RATE: Final = 4_000
"""Sample rate of the signs, in Hz."""

SIGNS_PER_FRAME: Final = SIGN_RATE * HOP // RATE

UINT16 = npt.NDArray[np.uint16]


class Fingerprint(NamedTuple):
    """What is kept of a recording in order to recognise it.

    Attributes:
        bits: 16 bits per frame, shape ``(frames,)``; none for a recording below 0.32 s.
        active: frames in which something is heard, shape ``(frames,)``.
        signs: whether each sample at 4 kHz is above zero, shape ``(samples,)``.
    """

    bits: UINT16
    active: Bools
    signs: Bools

    def packed(self) -> tuple[bytes, bytes, bytes]:
        """Bytes of the three, as :meth:`unpacked` takes them."""
        return (
            self.bits.astype("<u2").tobytes(),
            np.packbits(self.active).tobytes(),
            np.packbits(self.signs).tobytes(),
        )

    @classmethod
    def unpacked(cls, bits: bytes, active: bytes, signs: bytes) -> "Fingerprint":
        """Make a fingerprint of its bytes; up to seven signs are added at the end."""
        frames = len(bits) // 2
        return cls(
            np.frombuffer(bits, "<u2").astype(np.uint16),
            np.unpackbits(np.frombuffer(active, np.uint8), count=frames).astype(bool),
            np.unpackbits(np.frombuffer(signs, np.uint8)).astype(bool),
        )


def take_fingerprint(wave: Float32s, sample_rate: int) -> Fingerprint:
    """Describe a recording so that it can be recognised.

    Args:
        wave: mono samples, shape ``(samples,)``.
        sample_rate: in Hz.
    """
    wave = as_samples(wave)
    slow = wave if sample_rate == RATE else soxr.resample(wave, sample_rate, RATE, quality="LQ")
    signs = scipy.signal.sosfilt(_band_pass(), soxr.resample(slow, RATE, SIGN_RATE, quality="LQ")) > 0
    if slow.size < WINDOW + LAG * HOP:
        return Fingerprint(np.empty(0, np.uint16), np.empty(0, bool), signs)
    frames = np.lib.stride_tricks.sliding_window_view(slow, WINDOW)[::HOP]
    first, weights = _bands()
    spectrum = scipy.fft.rfft(frames * hann(WINDOW), axis=1)[:, first : first + len(weights)]
    power = (np.square(spectrum.real) + np.square(spectrum.imag)) @ weights
    steps = power[:, :-1] - power[:, 1:]
    bits = np.packbits(steps[LAG:] > steps[:-LAG], axis=1).view(">u2")[:, 0].astype(np.uint16)
    loudness = power[LAG:].sum(axis=1)
    return Fingerprint(bits, loudness > ACTIVE * loudness.max(), signs)


def bit_errors(one: Fingerprint, other: Fingerprint, shift: int) -> tuple[float, int]:
    """Compare the frames in which something is heard in both.

    Args:
        one: a fingerprint.
        other: its frame 0 is laid on frame ``shift`` of ``one``.
        shift: in frames of 16 ms.

    Returns:
        Share of bits that differ, and the number of frames compared.
    """
    start, stop = max(0, shift), min(len(one.bits), len(other.bits) + shift)
    if stop <= start:
        return 1.0, 0
    mine, theirs = slice(start, stop), slice(start - shift, stop - shift)
    both = one.active[mine] & other.active[theirs]
    differing = np.bitwise_count((one.bits[mine] ^ other.bits[theirs])[both])
    frames = len(differing)
    return (float(differing.sum()) / (16 * frames), frames) if frames else (1.0, 0)


def same_signs(one: Fingerprint, other: Fingerprint, shift: int) -> float:
    """Share of samples that have the same sign, or the opposite one, at the best place near ``shift``.

    Waves that have nothing to do with each other reach little more than a half.

    Args:
        one: a fingerprint.
        other: its frame 0 lies near frame ``shift`` of ``one``.
        shift: in frames of 16 ms; places up to 24 ms before and after are tried.
    """
    mine, theirs = _heard(one), _heard(other)
    points = scipy.fft.next_fast_len(mine.size + theirs.size, real=True)
    places = np.arange(-96, 97) + shift * SIGNS_PER_FRAME
    agreeing = _correlation(mine, theirs, points)[places % points]
    compared = _correlation(np.abs(mine), np.abs(theirs), points)[places % points]
    enough = compared > compared.max() / 2
    return 0.5 + 0.5 * float(np.max(np.abs(agreeing[enough]) / compared[enough], initial=0.0))


def _heard(print_: Fingerprint) -> Float32s:
    """Signs as 1 and -1, and 0 in pauses; a frame stands for the samples in the middle of its window."""
    heard = np.zeros(print_.signs.size, bool)
    middle = (LAG * HOP + WINDOW // 2) * SIGN_RATE // RATE - SIGNS_PER_FRAME // 2
    of_frames = np.repeat(print_.active, SIGNS_PER_FRAME)[: max(0, heard.size - middle)]
    heard[middle : middle + of_frames.size] = of_frames
    values: Float32s = np.where(print_.signs, np.float32(1), np.float32(-1)) * heard
    return values


def _correlation(one: Float32s, other: Float32s, points: int) -> Float32s:
    spectrum = scipy.fft.rfft(one, points) * scipy.fft.rfft(other, points).conj()
    found: Float32s = scipy.fft.irfft(spectrum, points)
    return found


@lru_cache(maxsize=1)
def _bands() -> tuple[int, Float32s]:
    """First bin of the transform, and the weights of those from there on, shape ``(bins, BANDS)``."""
    edges = LOW_HZ * (HIGH_HZ / LOW_HZ) ** (np.arange(BANDS + 1) / BANDS) * WINDOW / RATE
    bins = np.arange(int(edges[0]), int(edges[-1]) + 1)[:, None]
    inside = np.minimum(bins + 1, edges[1:]) - np.maximum(bins, edges[:-1])
    return int(bins[0, 0]), np.clip(inside, 0, 1).astype(np.float32)


@lru_cache(maxsize=1)
def _band_pass() -> Float64s:
    sections: Float64s = scipy.signal.butter(2, [150, 1_000], "bandpass", fs=SIGN_RATE, output="sos")
    return sections
