import io

import numpy as np
import pytest
import soundfile

from ser_pipeline.manifest.header import MAX_CHUNKS, bytes_missing

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
    "ogg": {"format": "OGG"},
}


def encoded(rng, **options):
    buffer = io.BytesIO()
    soundfile.write(buffer, rng.standard_normal((16_000, 2)) * 0.1, 16_000, **options)
    return buffer.getvalue()


def missing(data):
    return bytes_missing(io.BytesIO(data), len(data))


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


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
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
    assert bytes_missing(file, len(data)) == 0
    assert file.reads <= MAX_CHUNKS + 2
