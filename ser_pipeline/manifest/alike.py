"""Find recordings that are the same take, in less time than comparing all with all.

Two frames of a recording, 128 ms apart, are one key of 32 bits. Keys are sorted, and only recordings
that have the same key at the same distance at least twice are compared frame by frame; those that
agree there are compared by the signs of their samples (see :mod:`ser_pipeline.audio.fingerprint`).
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from ser_pipeline.arrays import Int64s
from ser_pipeline.audio.fingerprint import Fingerprint, bit_errors, same_signs

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
