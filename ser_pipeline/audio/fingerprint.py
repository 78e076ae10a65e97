"""Recognise a recording again after it was re-encoded, cut, or brought to another level or sample rate.

Two descriptions of a take survive all of that. The first are 16 bits for every 16 ms: whether the
difference between neighbouring bands has grown within the last 64 ms (after Haitsma and Kalker, "A
Highly Robust Audio Fingerprinting System", ISMIR 2002). They find the place where two recordings
fit. But an actor who repeats a sentence can repeat its timing too, so the second is the wave itself,
as the signs of its samples between 150 and 1,000 Hz: two takes share a melody, but not a phase.

Pairs are found in less time than comparing all with all takes. Two frames of a recording, 128 ms apart, are
one key of 32 bits. Keys are sorted, and only recordings that have the same key at the same distance at least
twice are compared frame by frame; those that agree there are compared by signs.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.signal
import soxr

from ser_pipeline.arrays import Bools, Float32s, Float64s, Int64s, as_samples
from ser_pipeline.dsp.mel import hann

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

KEY_GAP: Final = 8
"""Frames between the two that make a key."""

NEIGHBOURS: Final = 3
"""Each key is linked with this many equal ones behind it, so that a frequent key costs no square."""

LEAST_LINKS: Final = 2
"""Equal keys at the same distance in time that make two recordings worth comparing."""

LEAST_FRAMES: Final = 20
"""Frames heard in both (0.32 s) that a comparison needs."""

LEAST_SHARE: Final = 0.5
"""Share of the shorter recording's heard frames that must lie in the other."""

MOST_BIT_ERRORS: Final = 0.3
"""Of unrelated recordings half of the bits differ."""

LEAST_SAME_SIGNS: Final = 0.68
"""Between the most similar takes of one actor (0.61) and copies as telephone speech (0.73 and more)."""

_SHIFTS: Final = 1 << 13
"""Distances that a link can have: more than the frames of a minute, to either side."""


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


class Pair(NamedTuple):
    """Positions of two recordings that are the same take; ``first < second``."""

    first: int
    second: int


def same_takes(fingerprints: Sequence[Fingerprint]) -> list[Pair]:
    """Find the pairs of recordings that are the same take.

    Of more than two copies of a take, not every pair has to be among them, but they are linked by pairs.

    Args:
        fingerprints: of the recordings; those without frames are never found.

    Returns:
        Sorted pairs.
    """
    found = {
        Pair(first, second)
        for first, second, shift in _linked(fingerprints)
        if _is_same(fingerprints[first], fingerprints[second], shift)
    }
    return sorted(found)


def groups_of(pairs: Sequence[Pair]) -> list[list[int]]:
    """Put recordings that are linked by pairs into groups, each sorted.

    Examples:
        >>> groups_of([Pair(0, 2), Pair(1, 3), Pair(2, 5)])
        [[0, 2, 5], [1, 3]]
    """
    groups: dict[int, list[int]] = {}
    for first, second in pairs:
        one, other = groups.setdefault(first, [first]), groups.setdefault(second, [second])
        if one is not other:
            one += other
            groups.update(dict.fromkeys(other, one))
    return sorted({id(group): sorted(group) for group in groups.values()}.values())


def _linked(fingerprints: Sequence[Fingerprint]) -> Iterator[tuple[int, int, int]]:
    """Recordings with equal keys at the same distance, and that distance in frames."""
    keys, owners, places = _keys(fingerprints)
    links = [np.empty(0, np.int64)]
    for step in range(1, NEIGHBOURS + 1):
        equal = np.flatnonzero((keys[step:] == keys[:-step]) & (owners[step:] != owners[:-step]))
        shift = places[equal] - places[equal + step]
        links.append(
            (owners[equal] * len(fingerprints) + owners[equal + step]) * _SHIFTS * 2 + shift + _SHIFTS
        )
    codes, counts = np.unique(np.concatenate(links), return_counts=True)
    for code in codes[counts >= LEAST_LINKS].tolist():
        pair, shift = divmod(code, _SHIFTS * 2)
        yield *divmod(pair, len(fingerprints)), shift - _SHIFTS


def _keys(fingerprints: Sequence[Fingerprint]) -> tuple[Int64s, Int64s, Int64s]:
    """Keys of all recordings in ascending order, whose each is, and in which frame."""
    keys, owners, places = ([np.empty(0, np.int64)] for _ in range(3))
    for owner, (bits, active, _) in enumerate(fingerprints):
        at = np.flatnonzero(active[:-KEY_GAP] & active[KEY_GAP:])
        keys.append(bits[at].astype(np.int64) << 16 | bits[at + KEY_GAP])
        owners.append(np.full(len(at), owner, np.int64))
        places.append(at.astype(np.int64))
    key, owner_of, place = np.concatenate(keys), np.concatenate(owners), np.concatenate(places)
    order = np.argsort(key, kind="stable")  # equal keys stay in the order of their recordings
    return key[order], owner_of[order], place[order]


def _is_same(one: Fingerprint, other: Fingerprint, shift: int) -> bool:
    errors, frames = bit_errors(one, other, shift)
    needed = max(LEAST_FRAMES, LEAST_SHARE * min(one.active.sum(), other.active.sum()))
    if errors > MOST_BIT_ERRORS or frames < needed:
        return False
    return same_signs(one, other, shift) >= LEAST_SAME_SIGNS
