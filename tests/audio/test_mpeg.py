import io

import numpy as np
import pytest
import soundfile

from ser_pipeline.audio import mpeg
from ser_pipeline.audio.mpeg import announcing, find_stream, head_of
from tests.audio.conftest import bare_mp3, bursts, encoded


def stream_of(data, start=0, stop=None):
    return find_stream(io.BytesIO(data), start, len(data) if stop is None else stop)


@pytest.mark.parametrize("rate", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_frames_are_as_many_as_the_encoder_says(rate, mode, channels):
    data = encoded(bursts(1.5, rate, channels), rate, format="MP3", bitrate_mode=mode)
    whole = stream_of(data)
    assert whole.announced == whole.frames > 0
    assert (whole.lacking, whole.changes, whole.head.sample_rate) == (0, False, rate)
    bare = stream_of(data[whole.parts[0][0] + whole.tagged :])
    assert (bare.frames, bare.announced, bare.tagged) == (whole.frames, None, 0)


@pytest.mark.parametrize("cut", [1, 40])
def test_what_the_last_frame_lacks_is_counted(cut):
    data = bare_mp3(bursts(), 44_100)
    short = stream_of(data[:-cut])
    assert (short.lacking, short.frames) == (cut, stream_of(data).frames - 1)


def test_bytes_between_frames_are_left_out(rng):
    data = bare_mp3(bursts(), 44_100)
    heads, place = [], 0
    while place < len(data):
        heads.append(place)
        place += head_of(data[place : place + 4]).length
    assert len(heads) == stream_of(data).frames
    middle = heads[20]
    junk = rng.integers(0, 255, 3000).astype(np.uint8).tobytes()
    found = stream_of(b"junk" * 50 + data[:middle] + junk + data[middle:] + bytes(500))
    assert found.frames == len(heads)
    assert found.parts == ((200, 200 + middle), (200 + middle + 3000, 200 + 3000 + len(data)))


def test_a_stream_of_another_kind_behind_it_is_noticed():
    one, other = bare_mp3(bursts(), 44_100), bare_mp3(bursts(2.0, 16_000), 16_000)
    assert stream_of(one + other).changes
    assert stream_of(one + b"ID3\x04\0\0\0\0\0\x05hello" + other).changes
    assert not stream_of(one + one).changes


@pytest.mark.parametrize(
    ("layer", "first", "length", "samples"),
    [(1, "ffff40c0", 4 * (12 * 128_000 // 44_100), 384), (2, "fffd80c0", 144 * 128_000 // 44_100, 1152)],
)
def test_other_layers_are_counted(layer, first, length, samples):
    frame = bytes.fromhex(first) + bytes(length - 4)
    found = stream_of(frame * 10)
    assert (found.frames, found.head.layer, found.head.samples, found.head.length) == (
        10,
        layer,
        samples,
        length,
    )


def test_frames_of_free_format_are_counted():
    frame = bytes.fromhex("fffb08c0") + b"\x55" * 300  # 48 kHz, no bit rate
    assert stream_of(frame * 12).frames == 12
    padded = bytes.fromhex("fffb0ac0") + b"\x55" * 301
    assert stream_of((frame + padded) * 6).frames == 12


def vbri(data, frames):
    head = bytearray(data[: head_of(data[:4]).length])
    head[4:] = bytes(len(head) - 4)
    head[36:40], head[50:54] = b"VBRI", frames.to_bytes(4, "big")
    return bytes(head) + data


def test_the_head_of_fraunhofer_counts_frames_too():
    data = bare_mp3(bursts(), 44_100, bitrate_mode="CONSTANT", compression_level=0.1)
    frames = stream_of(data).frames
    found = stream_of(vbri(data, frames))
    assert (found.announced, found.frames) == (frames, frames)
    assert found.tagged > 0


def test_a_decoder_believes_the_frame_that_announces():
    data = bare_mp3(bursts(), 44_100, bitrate_mode="VARIABLE")
    guessed = soundfile.info(io.BytesIO(data)).duration
    told = soundfile.info(io.BytesIO(announcing(stream_of(data)) + data)).duration
    assert told == pytest.approx(4.0, abs=0.06)
    assert abs(guessed - 4.0) > 0.5


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xfb", b"\xff\xfb\x90\x64", bytes(5000), b"\xff" * 70_000]
)
def test_what_is_no_stream_has_no_frames(data):
    assert stream_of(data) is None


def test_noise_is_no_stream(rng):
    for _ in range(20):
        assert stream_of(b"x" + rng.integers(0, 256, 50_000).astype(np.uint8).tobytes()) is None


@pytest.mark.parametrize("between", [b"\xff\xfb\x08\xc0", b"\xff", b"\xff\xfb\x90\xc4"])
def test_a_file_that_loses_the_thread_again_and_again_is_given_up(between, monkeypatch):
    """Heads of free format, whose length would have to be searched, and of frames that none follows."""

    class Counting(io.BytesIO):
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            return super().read(size)

    monkeypatch.setattr(mpeg, "MOST_JUNK", 1 << 17)
    frame = bytes.fromhex("fffb90c4") + bytes(413)
    file = Counting((frame * 4 + between * (40_000 // len(between))) * 100)
    found = find_stream(file, 0, len(file.getvalue()))
    assert 4 <= found.frames < 40
    assert file.reads < 5_000
