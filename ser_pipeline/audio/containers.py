"""What the heads of a recording say: its format, its codec, and where its samples should end.

libsndfile reads a truncated file without complaint, and believes sizes that a pipe left open. So the
size that a head announces is compared with the file's own, and one that was left open is filled in.
MPEG streams are in :mod:`ser_pipeline.audio.mpeg`.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ser_pipeline.audio.splice import Bytes, Source

MAX_CHUNKS: Final = 1000
"""More chunks than any real file has: a file of zeros must not be walked to its end."""

ENDLESS: Final = (
    range(0x7FFFF000, 0x80000001),
    range(0xFFFFF000, 0x100000000),
    range(0x7FFFFFFFFFFFF000, 0x8000000000000001),
    range(0xFFFFFFFFFFFFF000, 0x10000000000000000),
)
"""What writers to a pipe leave in place of a size: the most that its bits hold, or a little less."""

W64_TAIL: Final = bytes.fromhex("f3acd3118cd100c04f8edb8a")

_OGG_CODECS: Final = {b"\x7fFLAC": "FLAC", b"Speex": "Speex", b"\x80theora": "Theora", b"fishead": "Theora"}

_WAV_MPEG: Final = (0x50, 0x55)
_WAV_NATIVE: Final = (0x01, 0x02, 0x03, 0x06, 0x07, 0x11, 0x31, 0x38, 0x40)
_WAV_CODECS: Final = {
    **dict.fromkeys((352, 353, 354, 355), "WMA"),
    **{0x14: "G.723", 0x42: "G.723.1", 0x45: "G.726", 0x64: "G.726", 0x65: "G.722", 0x28F: "G.722"},
    **{0x83: "G.729", 0x20: "Yamaha ADPCM", 0xFF: "AAC", 0x270: "ATRAC3", 0x2000: "AC-3", 0xF1AC: "FLAC"},
}
"""Number of a codec in a WAV file -> its name."""

_AIFF_NATIVE: Final = frozenset(
    {
        *("NONE", "none", "twos", "sowt", "raw", "in24", "ni24", "42ni", "in32", "ni32", "23ni", "fl32"),
        *("FL32", "fl64", "FL64", "alaw", "ALAW", "ulaw", "ULAW", "ima4", "GSM", "DWVW"),
    }
)
_CAF_NATIVE: Final = frozenset({"lpcm", "alac", "alaw", "ulaw"})
_NIST_NATIVE: Final = frozenset({"pcm", "ulaw", "mu-law", "alaw"})
_AU_NATIVE: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 23, 25, 26, 27})


class Says(NamedTuple):
    """What the heads of a container say.

    Attributes:
        missing: bytes between the end of the file and the end that they announce; 0 if they do not say.
        codec: of samples that libsndfile cannot decode; empty where it can.
        edits: place -> bytes that belong there, where a size was left open.
        mpeg: start and stop of an MPEG stream inside; None if there is none.
        chained_s: length of all recordings that follow one another in the file; 0 if it is one.
    """

    missing: int = 0
    codec: str = ""
    edits: tuple[tuple[int, bytes], ...] = ()
    mpeg: tuple[int, int] | None = None
    chained_s: float = 0.0


@dataclass(frozen=True)
class Container:
    """How a file is cut into chunks.

    Attributes:
        first: position of the first chunk.
        head: layout of a chunk's head, name and length, as for ``struct``.
        data: name of the chunk that holds the samples.
        facts: name of the chunk that names the codec.
        align: chunks start at multiples of this.
        inclusive: the length counts the head too.
    """

    first: int
    head: str
    data: bytes
    facts: bytes
    align: int = 1
    inclusive: bool = False

    @property
    def width(self) -> int:
        """Bytes of a chunk's head."""
        return struct.calcsize(self.head)

    @property
    def order(self) -> str:
        """Order of the bytes of a number, as for ``struct``."""
        return self.head[0]


WAV: Final = Container(12, "<4sI", b"data", b"fmt ", align=2)

CONTAINERS: Final[Mapping[bytes, Container]] = {
    b"RIFF": WAV,
    b"RF64": WAV,
    b"RIFX": Container(12, ">4sI", b"data", b"fmt ", align=2),
    b"FORM": Container(12, ">4sI", b"SSND", b"COMM", align=2),
    b"riff": Container(40, "<16sQ", b"data" + W64_TAIL, b"fmt " + W64_TAIL, align=8, inclusive=True),
    b"caff": Container(8, ">4sQ", b"data", b"desc"),
}
"""First four bytes of a file -> its chunks."""


def heads_of(file: Source, size: int) -> Says:
    """Read the heads of a container; nothing is said of what is none.

    Args:
        file: open for reading; its position is moved.
        size: of the file, in bytes.

    Examples:
        >>> import io
        >>> header = b"RIFF" + (44).to_bytes(4, "little") + b"WAVE"
        >>> data = header + b"data" + (10).to_bytes(4, "little") + b"1234567"
        >>> heads_of(io.BytesIO(data), len(data)).missing
        3
    """
    at = Bytes(file, size)
    mark = at(0, 4)
    if mark == b"OggS":
        return _ogg(at)
    if mark == b".snd":
        return _au(at)
    if at(0, 7) == b"NIST_1A":
        return _nist(at)
    if at(4, 4) == b"ftyp":
        return Says(missing=_boxes(at))
    container = CONTAINERS.get(mark)
    return _chunked(at, container) if container else Says()


def _chunks(at: Bytes, container: Container) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the body and length of each chunk's body."""
    position = container.first
    for _ in range(MAX_CHUNKS):
        head = at(position, container.width)
        if len(head) < container.width:
            return
        name, length = struct.unpack(container.head, head)
        if container.inclusive:
            length = max(0, length - container.width)
        yield name, position + container.width, length
        position += container.width + length
        position += -position % container.align


def _chunked(at: Bytes, container: Container) -> Says:
    long, codec, tag = None, "", 0
    for name, start, length in _chunks(at, container):
        if name == b"ds64":  # RF64 keeps its true length apart
            long = start + 8
        elif name == container.facts:
            codec, tag = _codec(at(0, 4), at(start, min(length, 40)), container.order)
        elif name == container.data:
            says = _samples(at, container, start, length, long)
            end = min(at.stop, start + length) if not says.edits else at.stop
            return says._replace(codec=codec, mpeg=(start, end) if tag in _WAV_MPEG else None)
    return Says(codec=codec)


def _samples(at: Bytes, container: Container, start: int, length: int, long: int | None) -> Says:
    """What the size of the samples says; ``long`` is the place of their true size, where there is one."""
    place, form = start - 4, container.order + "I"
    if container.width > 8:
        place, form = start - 8, container.order + "Q"
    if long is not None and length == 0xFFFFFFFF:
        place, form = long, "<Q"
        (length,) = struct.unpack(form, at(long, 8))
    rest = at.stop - start
    empty = length == 0 and (rest <= 0 or _is_chunk(at, container, start))
    if not empty and (length == 0 or _endless(length)):
        size = rest + (container.width if container.inclusive else 0)
        fits = size < 1 << 8 * struct.calcsize(form)
        return Says(edits=((place, struct.pack(form, size)),) if fits else ())
    return Says(missing=max(0, length - rest))


def _endless(length: int) -> bool:
    return any(length in sizes for sizes in ENDLESS)


def _is_chunk(at: Bytes, container: Container, place: int) -> bool:
    """Whether the bytes at a place are the head of a chunk that ends within the file."""
    head = at(place, container.width)
    if len(head) < container.width:
        return False
    name, length = struct.unpack(container.head, head)
    return bool(name[:4].isascii() and name[:4].isalnum() and place + length <= at.stop)


def _codec(mark: bytes, facts: bytes, order: str) -> tuple[str, int]:
    """Name of a codec that libsndfile cannot decode, empty if it can; and its number in a WAV file."""
    if mark == b"FORM":
        name = facts[18:22].decode("latin-1").strip()
        return ("" if name in _AIFF_NATIVE or len(facts) < 22 else name), 0
    if mark == b"caff":
        name = facts[8:12].decode("latin-1").strip()
        return ("" if name in _CAF_NATIVE or len(facts) < 12 else name), 0
    if len(facts) < 2:
        return "", 0
    (tag,) = struct.unpack(order + "H", facts[:2])
    if tag == 0xFFFE and len(facts) >= 26:
        (tag,) = struct.unpack(order + "H", facts[24:26])
    known = tag in _WAV_NATIVE or tag in _WAV_MPEG or tag in (0, 0xFFFE)
    return ("" if known else _WAV_CODECS.get(tag, f"codec 0x{tag:04x}")), tag


def _au(at: Bytes) -> Says:
    head = at(4, 12)
    if len(head) < 12:
        return Says()
    start, length, encoding = struct.unpack(">III", head)
    codec = "" if encoding in _AU_NATIVE else f"encoding {encoding}"
    rest = at.stop - start
    if rest > 0 and (length == 0 or _endless(length)):
        return Says(codec=codec, edits=((8, struct.pack(">I", min(rest, 0xFFFFFFFF))),))
    return Says(missing=max(0, length - rest), codec=codec)


def _nist(at: Bytes) -> Says:
    """NIST Sphere: lines of name, type and value, below the length of the header."""
    lines = [line.split() for line in at(0, 1024).decode("latin-1").splitlines()]
    facts = {line[0]: line[2] for line in lines if len(line) > 2}
    codec = facts.get("sample_coding", "pcm")
    try:
        samples = int(facts["sample_count"]) * int(facts["sample_n_bytes"]) * int(facts["channel_count"])
        end = int(lines[1][0]) + samples
    except (IndexError, KeyError, ValueError):
        return Says()
    if codec not in _NIST_NATIVE:
        return Says(codec=codec)
    return Says(missing=max(0, end - at.stop))


def _boxes(at: Bytes) -> int:
    """Bytes that the boxes of an MPEG-4 file lack."""
    position = 0
    for _ in range(MAX_CHUNKS):
        head = at(position, 16)
        if len(head) < 8:
            return 8 - len(head) if head else 0
        length = int.from_bytes(head[:4], "big")
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        if length < 8:  # 0 goes on to the end
            return 0
        position += length
        if position > at.stop:
            return position - at.stop
    return 0


def _ogg(at: Bytes) -> Says:
    """Walk the pages: what the last one lacks, and whether streams begin where others have ended."""
    codecs: list[str] = []
    seconds, rate, position, begun, links = 0.0, 0, 0, False, 1
    granule = 0
    while (head := at(position, 27)) and b"OggS".startswith(head[:4]):
        table = at(position + 27, head[26]) if len(head) == 27 else b""
        body = position + 27 + len(table)
        if len(head) < 27 or len(table) < head[26] or body + sum(table) > at.stop:
            lacks = (27 - len(head)) or (head[26] - len(table)) or body + sum(table) - at.stop
            return Says(missing=lacks)
        if head[5] & 2:
            if begun:
                seconds, links, begun = seconds + granule / max(1, rate), links + 1, False
            codec, rate = _ogg_codec(at(body, 16))
            codecs.append(codec)
        else:
            begun = True
            granule = max(0, int.from_bytes(head[6:14], "little", signed=True)) or granule
        position = body + sum(table)
    seconds = seconds + granule / max(1, rate) if links > 1 else 0.0
    return Says(codec=next(filter(None, codecs), ""), chained_s=seconds)


def _ogg_codec(start: bytes) -> tuple[str, int]:
    """Name of a codec by its first packet, empty if libsndfile can decode it; and its ticks a second."""
    if start.startswith(b"\x01vorbis"):
        return "", int.from_bytes(start[12:16], "little")
    if start.startswith(b"OpusHead"):
        return "", 48_000
    return next((name for mark, name in _OGG_CODECS.items() if start.startswith(mark)), "codec"), 0
