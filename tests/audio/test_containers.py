import io
import struct

import numpy as np
import pytest
import soundfile

from ser_pipeline.audio.containers import MAX_CHUNKS, Says, heads_of

SPEAKING = {  # containers whose header says where the data ends
    "wav": {"format": "WAV"},
    "wav24": {"format": "WAV", "subtype": "PCM_24"},
    "float": {"format": "WAV", "subtype": "FLOAT"},
    "adpcm": {"format": "WAV", "subtype": "IMA_ADPCM"},
    "rifx": {"format": "WAV", "endian": "BIG"},
    "extensible": {"format": "WAVEX"},
    "rf64": {"format": "RF64"},
    "w64": {"format": "W64"},
    "aiff": {"format": "AIFF"},
    "au": {"format": "AU"},
    "caf": {"format": "CAF"},
    "nist": {"format": "NIST"},
    "ogg": {"format": "OGG"},
}


def encoded(rng, **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, rng.standard_normal((16_000, 2)) * 0.1, 16_000, **options)
    return buffer.getvalue()


def missing(data):
    return heads_of(io.BytesIO(data), len(data)).missing


@pytest.mark.parametrize("kind", SPEAKING)
def test_a_whole_file_misses_nothing(rng, kind):
    assert missing(encoded(rng, **SPEAKING[kind])) == 0


@pytest.mark.parametrize("kind", sorted(SPEAKING.keys() - {"ogg", "caf"}))
@pytest.mark.parametrize("cut", [1, 2, 1000])
def test_missing_bytes_are_counted(rng, kind, cut):
    assert missing(encoded(rng, **SPEAKING[kind])[:-cut]) == cut


@pytest.mark.parametrize("kind", ["ogg", "caf"])
def test_a_cut_is_found(rng, kind):
    assert missing(encoded(rng, **SPEAKING[kind])[:-100]) > 0


@pytest.mark.parametrize("kind", ["FLAC", "MP3"])
def test_a_container_that_does_not_say_misses_nothing(rng, kind):
    assert missing(encoded(rng, format=kind)[:-100]) == 0


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFFFFF - 36, 0xFFFFFFFF - 36])
def test_a_size_left_open_by_a_pipe_is_no_truncation(rng, size):
    data = bytearray(encoded(rng, format="WAV"))
    place = data.index(b"data") + 4
    data[place : place + 4] = size.to_bytes(4, "little")
    assert missing(bytes(data)) == 0


def test_chunks_before_the_data_are_passed_over(rng):
    data = encoded(rng, format="WAV")
    place = data.index(b"data")
    odd = b"LIST" + (3).to_bytes(4, "little") + b"abc\0"  # padded to an even length
    longer = data[:place] + odd + data[place:]
    assert missing(longer) == 0
    assert missing(longer[:-7]) == 7


@pytest.mark.parametrize(
    "head", [b"", b"R", b"RIFF", b"RIFF\0\0\0\0WAVE", b"FORM1234AIFF", b"OggS", b".snd12", b"caff"]
)
def test_a_stub_is_no_error(head):
    assert missing(head) >= 0


def test_an_ogg_file_without_a_page_at_its_end_says_nothing():
    assert missing(b"OggS" + bytes(100_000)) == 0


def test_random_bytes_after_a_mark_are_no_error(rng):
    for mark in (b"RIFF", b"RF64", b"RIFX", b"FORM", b"OggS", b".snd", b"caff", b"riff"):
        for size in (5, 12, 13, 20, 44, 200):
            assert missing(mark + rng.bytes(size)) >= 0


def test_a_file_of_empty_chunks_is_not_walked_to_its_end():
    class Counting(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            return super().read(size)

    data = b"RIFF\0\0\0\0WAVE" + np.zeros(1_000_000, np.uint8).tobytes()
    file = Counting(data)
    assert heads_of(file, len(data)).missing == 0
    assert file.reads <= MAX_CHUNKS + 2


def riff(fmt, data, size=None):
    parts = b"fmt " + len(fmt).to_bytes(4, "little") + fmt + b"data"
    return (
        b"RIFF\xff\xff\xff\xffWAVE"
        + parts
        + (len(data) if size is None else size).to_bytes(4, "little")
        + data
    )


def fmt(tag):
    return struct.pack("<HHIIHH", tag, 1, 16_000, 32_000, 2, 16)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFFFFF - 36])
def test_a_size_left_open_is_filled_in(size):
    data = riff(fmt(1), bytes(1000), size)
    place = data.index(b"data") + 4
    assert heads_of(io.BytesIO(data), len(data)).edits == ((place, (1000).to_bytes(4, "little")),)


def test_samples_of_no_size_before_another_chunk_are_none():
    data = riff(fmt(1), b"", 0) + b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    assert heads_of(io.BytesIO(data), len(data)) == Says()


@pytest.mark.parametrize(
    ("tag", "codec"),
    [(1, ""), (0x11, ""), (0x31, ""), (0x161, "WMA"), (0x65, "G.722"), (0x999, "codec 0x0999")],
)
def test_the_codec_of_a_wav_file_is_named(tag, codec):
    data = riff(fmt(tag), bytes(100))
    assert heads_of(io.BytesIO(data), len(data)).codec == codec
    extensible = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16_000, 32_000, 2, 16, 22, 16, 0) + struct.pack(
        "<H", tag
    )
    data = riff(extensible + bytes.fromhex("000000001000800000aa00389b71"), bytes(100))
    assert heads_of(io.BytesIO(data), len(data)).codec == codec


@pytest.mark.parametrize(
    ("data", "codec"),
    [
        (b".snd" + struct.pack(">IIIII", 24, 4, 3, 8000, 1) + b"abcd", ""),
        (b".snd" + struct.pack(">IIIII", 24, 4, 24, 8000, 1) + b"abcd", "encoding 24"),
        (b"caff\0\1\0\0desc" + struct.pack(">Qd4s", 32, 8000, b"lpcm") + bytes(20), ""),
        (b"caff\0\1\0\0desc" + struct.pack(">Qd4s", 32, 8000, b"aac ") + bytes(20), "aac"),
        (b"FORM\0\0\0\0AIFCCOMM" + struct.pack(">I", 24) + bytes(18) + b"QDM2" + bytes(2), "QDM2"),
        (b"FORM\0\0\0\0AIFCCOMM" + struct.pack(">I", 24) + bytes(18) + b"sowt" + bytes(2), ""),
        (b"NIST_1A\n   1024\nsample_count -i 1\nsample_n_bytes -i 2\nchannel_count -i 1\n"
         b"sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n", "pcm,embedded-shorten-v2.00"),
    ],
)  # fmt: skip
def test_the_codec_of_other_containers_is_named(data, codec):
    assert heads_of(io.BytesIO(data), len(data)).codec == codec


def page(flags, granule, body, serial=7):
    head = b"OggS\0" + bytes([flags]) + struct.pack("<qIII", granule, serial, 0, 0)
    return head + bytes([1, len(body)]) + body


VORBIS = b"\x01vorbis" + struct.pack("<IBI", 0, 1, 16_000)


def test_recordings_that_follow_one_another_in_ogg_are_added_up():
    opus = page(2, 0, b"OpusHead" + bytes(11)) + page(4, 96_000, b"abc")
    one = page(2, 0, VORBIS) + page(0, 8_000, b"abc") + page(4, 16_000, b"abc")
    for data, seconds in [(one, 0), (one + one, 2.0), (one + opus, 3.0), (opus + one + one, 4.0)]:
        assert heads_of(io.BytesIO(data), len(data)).chained_s == seconds
    side_by_side = page(2, 0, VORBIS, 1) + page(2, 0, VORBIS, 2) + page(0, 8_000, b"abc")
    assert heads_of(io.BytesIO(side_by_side), len(side_by_side)).chained_s == 0


@pytest.mark.parametrize(
    ("start", "codec"), [(b"\x7fFLAC", "FLAC"), (b"Speex   ", "Speex"), (b"what", "codec"), (VORBIS, "")]
)
def test_the_codec_of_ogg_is_named(start, codec):
    data = page(2, 0, start) + page(4, 100, b"abc")
    assert heads_of(io.BytesIO(data), len(data)).codec == codec


@pytest.mark.parametrize(("cut", "lacks"), [(1, 1), (3, 3), (4, 1), (5, 1), (20, 16), (30, 26)])
def test_bytes_that_an_ogg_page_lacks_are_counted(cut, lacks):
    """Of a page whose head is cut, only what that head lacks is known."""
    data = page(2, 0, VORBIS) + page(4, 16_000, b"abc")
    assert missing(data[:-cut]) == lacks


def test_an_mpeg_4_file_says_where_it_ends():
    whole = struct.pack(">I4s", 16, b"ftyp") + bytes(8) + struct.pack(">I4sQ", 1, b"mdat", 100) + bytes(84)
    assert missing(whole) == 0
    assert missing(whole[:-7]) == 7
    assert (
        missing(struct.pack(">I4s", 16, b"ftyp") + bytes(8) + struct.pack(">I4s", 0, b"mdat") + bytes(5)) == 0
    )


def test_mpeg_inside_a_wav_file_is_found():
    data = riff(fmt(0x55), bytes(100))
    assert heads_of(io.BytesIO(data), len(data)).mpeg == (len(data) - 100, len(data))
