"""How many frames an MPEG stream (MP3, MP2, MP1) holds, counted from the heads of its frames.

A stream says nothing of its length. Many encoders put a frame before it that does (Xing, Info, VBRI);
those that write to a pipe cannot, and decoders then guess from the first bit rate. Here every frame is
found by the length that the one before it has, which reads four bytes of each and decodes nothing.

References:
    ISO/IEC 11172-3 and 13818-3 for the heads of frames; ``mp3tech.org`` for Xing, LAME and VBRI.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from ser_pipeline.audio.splice import Bytes, Source

_LAYERS: Final = {3: 1, 2: 2, 1: 3}
_RATES: Final = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS: Final = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Kilobits a second, by (MPEG-1 or not, layer)."""

LONGEST_JUNK: Final = 1 << 16
"""The first frame is searched in this many bytes, as is the next one where the stream is interrupted."""

MOST_JUNK: Final = 1 << 20
"""Bytes between frames, all together, after which the stream is taken to have ended."""

LONGEST_FREE: Final = 8192
"""Bytes that a frame of free format has at most."""

IN_A_ROW: Final = 3
"""Frames that must follow one another before bytes are taken for a stream."""


class Head(NamedTuple):
    """What the head of a frame says.

    Attributes:
        length: of the frame in bytes; 0 in free format, where heads do not say.
        samples: of each channel.
        sample_rate: in Hz.
        layer: 1, 2 or 3.
        version: bits of the head; 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5.
        padding: bytes that make this frame longer than others; counted in ``length``.
    """

    length: int
    samples: int
    sample_rate: int
    layer: int
    version: int
    padding: int

    def is_like(self, other: "Head") -> bool:
        """Whether both can belong to one stream."""
        return self[2:5] == other[2:5]


class Stream(NamedTuple):
    """The frames of a file.

    Attributes:
        head: of the first frame.
        first: its first four bytes.
        parts: places of the file, start and stop, where frames lie without anything between them.
        frames: complete frames, without the one that announces the others.
        tagged: bytes of that one, which lies before the others; 0 if there is none.
        announced: frames that it announces; None if nobody says.
        lacking: bytes by which the last frame is cut.
        changes: another kind of stream follows this one.
    """

    head: Head
    first: bytes
    parts: tuple[tuple[int, int], ...]
    frames: int
    tagged: int
    announced: int | None
    lacking: int
    changes: bool


@lru_cache(maxsize=4096)
def _head(kind: int, rates: int) -> Head | None:
    """What the second and third byte of a head say; None if they cannot be those of a head."""
    version, layer = (kind >> 3) & 3, _LAYERS.get((kind >> 1) & 3)
    bits, rate, padding = rates >> 4, (rates >> 2) & 3, (rates >> 1) & 1
    if kind < 0xE0 or version == 1 or layer is None or bits == 15 or rate == 3:
        return None
    sample_rate = _RATES[version][rate]
    slot = 4 if layer == 1 else 1
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    kbits = _KBITS[version == 3, layer][bits]
    slots = samples // 8 * kbits * 1000 // (sample_rate * slot)
    return Head((slots + padding) * slot if bits else 0, samples, sample_rate, layer, version, padding * slot)


def head_of(four: bytes) -> Head | None:
    """Read the head of a frame.

    Args:
        four: its bytes.

    Examples:
        >>> head_of(bytes.fromhex("fffb9064"))
        Head(length=417, samples=1152, sample_rate=44100, layer=3, version=3, padding=0)
        >>> head_of(b"RIFF")
    """
    if len(four) < 4 or four[0] != 0xFF or four[3] & 3 == 2:  # an emphasis that does not exist
        return None
    return _head(four[1], four[2])


def find_stream(file: Source, start: int, stop: int) -> Stream | None:
    """Find the frames of a file.

    Args:
        file: open for reading; its position is moved.
        start: place at which to look first; tags that lie there were passed over.
        stop: place after the last byte that can belong to a frame.

    Returns:
        None if there is no stream within the first ``LONGEST_JUNK`` bytes.
    """
    at = Bytes(file, stop)
    place = start if _in_a_row(at, start, None, free=True) else _next(at, start + 1, None)
    head = None if place is None else head_of(at(place, 4))
    if place is None or head is None:
        return None
    base = _free_length(at, place, head)
    tagged, announced = _tag(at(place, head.length + base), head)
    return _walk(at, place, head, base, (tagged, announced))


def _walk(at: Bytes, place: int, first: Head, base: int, tag: tuple[int, int | None]) -> Stream:
    parts: list[tuple[int, int]] = []
    four, begun, frames, lacking, changes, junk = at(place, 4), place, 0, 0, False, 0
    while len(found := at(place, 4)) == 4:
        head = head_of(found)
        if head is None or not head.is_like(first) or (head.length == 0) != (first.length == 0):
            if changes := head is not None and _in_a_row(at, place, None):
                break
            parts.append((begun, place))
            onward = _next(at, place + 1, first, base) if junk < MOST_JUNK else None
            begun = place if onward is None else onward
            if onward is None:
                changes = _next(at, place + 1, None) is not None
                break
            junk += onward - place
            place = onward
            continue
        length = head.length or base + head.padding
        if place + length > at.stop:
            lacking = place + length - at.stop
            break
        place += length
        frames += 1
    parts.append((begun, place))
    kept = tuple(part for part in parts if part[1] > part[0])
    return Stream(first, four, kept, frames - bool(tag[0]), *tag, lacking, changes)


def _next(at: Bytes, start: int, like: Head | None, base: int = 0) -> int | None:
    """Place of the next run of frames that are like one; of any kind, but free format, if None."""
    place = start
    while place < start + LONGEST_JUNK:
        chunk = at(place, 4096)
        offset = chunk.find(b"\xff")
        if not chunk:
            return None
        if offset < 0:
            place += len(chunk)
            continue
        place += offset
        head = head_of(at(place, 4))
        if head is not None and (like or head.length) and _in_a_row(at, place, like, base):
            return place
        place += 1
    return None


def _in_a_row(at: Bytes, place: int, like: Head | None, base: int = 0, *, free: bool = False) -> bool:
    """Whether frames follow one another here, or one is followed by the end; ``free`` finds their length."""
    for number in range(IN_A_ROW):
        four = at(place, 4)
        if number and place >= at.stop:
            return True
        head = head_of(four)
        if head is None or not head.is_like(like or head):
            return False
        like = like or head
        if free and not base:
            base = _free_length(at, place, head)
        if not head.length and not base:
            return False
        place += head.length or base + head.padding
        if place > at.stop:
            return number > 0
    return True


def _free_length(at: Bytes, place: int, head: Head) -> int:
    """Bytes of a frame of free format without its padding: as far as the next but one head agrees."""
    if head.length:
        return 0
    four = at(place, 4)
    mark = four[:2]
    for length in range(24, LONGEST_FREE):
        if at(place + length, 2) != mark:
            continue
        second = head_of(at(place + length, 4))
        if second is None or second.length or not second.is_like(head):
            continue
        base = length - head.padding
        if at(place + length + base + second.padding, 2) in (mark, b""):
            return base
    return 0


def _tag(frame: bytes, head: Head) -> tuple[int, int | None]:
    """Length of a first frame that only announces the others, 0 if it is one of them; and how many."""
    if head.layer != 3:
        return 0, None
    if frame[36:40] == b"VBRI":
        return len(frame), int.from_bytes(frame[50:54], "big") or None
    for place in (_side(head, mono=True), _side(head, mono=False)):
        for mark in (place, place + 2):  # after a checksum
            if frame[mark : mark + 4] in (b"Xing", b"Info"):
                says = frame[mark + 7] & 1 if len(frame) > mark + 12 else 0
                return len(frame), int.from_bytes(frame[mark + 8 : mark + 12], "big") if says else None
    return 0, None


def _side(head: Head, *, mono: bool) -> int:
    """Where the samples of a frame of layer 3 begin."""
    return 4 + ((17 if mono else 32) if head.version == 3 else (9 if mono else 17))


def announcing(stream: Stream) -> bytes:
    """A frame that announces how many others follow, for a decoder that would guess.

    Args:
        stream: of layer 3.
    """
    kind, rates, mode = stream.first[1] | 1, stream.first[2] & 0x0C | 0x90, stream.first[3]
    head = _head(kind, rates)
    length = head.length if head else 0
    frame = bytearray(length)
    frame[:4] = 0xFF, kind, rates, mode
    place = _side(stream.head, mono=mode >> 6 == 3)
    frame[place : place + 12] = b"Xing" + (1).to_bytes(4, "big") + stream.frames.to_bytes(4, "big")
    return bytes(frame)


def leading_tags(at: Bytes) -> int:
    """Bytes of the ID3v2 tags that a file begins with."""
    place = 0
    while (head := at(place, 10)).startswith(b"ID3") and len(head) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        place += 10 + size + (10 if head[5] & 0x10 else 0)
    return min(place, at.stop)


def before_tags(at: Bytes) -> int:
    """Where the tags begin that an MPEG stream ends with: ID3v1, APE, Lyrics3."""
    stop = at.stop
    for _ in range(8):
        if at(stop - 128, 3) == b"TAG" and stop >= 128:
            stop -= 128
        elif stop >= 32 and at(stop - 32, 8) == b"APETAGEX":
            foot = at(stop - 32, 24)
            with_head = 32 if foot[23] & 0x80 else 0
            stop = max(0, stop - int.from_bytes(foot[12:16], "little") - with_head)
        elif stop >= 15 and at(stop - 9, 9) == b"LYRICS200" and at(stop - 15, 6).isdigit():
            stop = max(0, stop - 15 - int(at(stop - 15, 6)))
        else:
            break
    return stop
