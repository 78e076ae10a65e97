import errno
import io
import os
import re
import stat

import numpy as np
import pytest
import soundfile

from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.probe import MAX_CHUNKS, Probe, bytes_missing, probe, samples_problem


def write(path, samples, rate=16_000, **options):
    soundfile.write(path, samples, rate, **options)
    return str(path)


def noise(rng, seconds=0.5, channels=1):
    return rng.standard_normal((round(seconds * 16_000), channels)) * 0.1


def test_a_good_recording(tmp_path, rng):
    path = write(tmp_path / "a.wav", noise(rng, 0.5, 2))
    found = probe(path, decode=True)
    status = os.stat(path)
    assert found == Probe(
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        digest_bytes((tmp_path / "a.wav").read_bytes()),
        0.5,
        16_000,
        2,
        decoded=True,
    )


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au", "caf"])
def test_every_common_suffix_is_read(tmp_path, rng, suffix):
    found = probe(write(tmp_path / f"a.{suffix}", noise(rng)), decode=True)
    assert (found.problem, found.decode_problem) == (None, None)
    assert found.duration_s == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_rate_and_depth_is_read(tmp_path, rng, rate, subtype):
    path = write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, rate), rate, subtype=subtype)
    found = probe(path, decode=True)
    assert (found.problem, found.decode_problem, found.sample_rate, found.duration_s) == (
        None,
        None,
        rate,
        1.0,
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty: 0 bytes"),
        (b"not audio at all", "bad header: Format not recognised"),
        (bytes(5000), "bad header"),
        (b"RIFF\x24\0\0\0WAVE", "bad header"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer.*git lfs pull"),
        (b"/annex/objects/MD5E-s1--1.wav\n", "git-annex pointer.*git annex get"),
        (b"\n<!DOCTYPE html><html>404</html>", "web page instead of audio: download the recording again"),
        (b"<HTML><body>", "web page instead"),
    ],
)
def test_what_is_no_recording_says_why(tmp_path, content, reason):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    found = probe(str(path))
    assert found.problem is not None
    assert re.search(reason, found.problem)
    assert found.digest == digest_bytes(content)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "aiff"])
def test_a_truncated_recording_is_found_without_decoding(tmp_path, rng, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, noise(rng, 2.0))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert probe(str(path)).problem.startswith("truncated: ")


def test_truncation_says_how_much_is_missing(tmp_path, rng):
    path = tmp_path / "a.wav"
    write(path, noise(rng))
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    assert (
        probe(str(path)).problem
        == f"truncated: 100 of the {len(data)} bytes its header announces are missing"
    )


def test_a_recording_of_10_ms_is_too_short(tmp_path, rng):
    assert probe(write(tmp_path / "a.wav", noise(rng, 0.010))).problem == (
        "too short: 0.010 s; at least 0.1 s are needed"
    )


def test_a_recording_of_100_ms_is_long_enough(tmp_path, rng):
    assert probe(write(tmp_path / "a.wav", noise(rng, 0.1))).problem is None


def test_a_header_without_samples_is_empty(tmp_path):
    found = probe(write(tmp_path / "a.wav", np.zeros(0)))
    assert found.problem == "empty: its header announces no samples"


def test_an_unbelievable_sample_rate_is_a_bad_header(tmp_path, rng):
    assert probe(write(tmp_path / "a.wav", noise(rng), 12)).problem == "bad header: a sample rate of 12 Hz"


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(8000), "silent: no sample reaches 0.0001 of full scale"),
        (np.full(8000, 2e-5), "silent: no sample reaches 0.0001 of full scale"),
        (np.r_[np.ones(4000) * 0.1, np.nan], "holds samples that are not finite numbers"),
        (np.r_[np.inf, np.ones(4000) * 0.1], "holds samples that are not finite numbers"),
    ],
)
def test_unusable_samples_are_found_by_decoding_alone(tmp_path, samples, reason):
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert probe(path, decode=True).decode_problem == reason
    assert probe(path).decode_problem is None
    assert not probe(path).decoded


def test_a_damaged_middle_is_found_by_decoding(tmp_path, rng):
    path = tmp_path / "a.flac"
    write(path, noise(rng, 3.0))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    path.write_bytes(data)
    found = probe(str(path), decode=True)
    assert found.problem is None
    assert "cannot be decoded" in found.decode_problem


def test_fewer_frames_than_announced_are_found_by_decoding():
    class Short:
        frames = 100

        def seek(self, frame):
            self.left = [np.full((60, 1), 0.5, np.float32), np.zeros((0, 1), np.float32)]

        def read(self, *args, **options):
            return self.left.pop(0)

    assert samples_problem(Short()) == "cannot be decoded: 60 of the 100 frames in its header are present"


def test_a_vanished_file_is_an_answer_not_an_error(tmp_path):
    found = probe(str(tmp_path / "a.wav"))
    assert (found.size, found.problem) == (-1, "deleted after the folder was listed")


def test_a_broken_link(tmp_path):
    (tmp_path / "a.wav").symlink_to("nowhere")
    assert probe(str(tmp_path / "a.wav")).problem == "a broken link"


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert probe(str(tmp_path / "a.wav")).problem == "not a regular file"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_an_unreadable_file_is_named_as_such(tmp_path, rng, monkeypatch, number):
    path = write(tmp_path / "a.wav", noise(rng))

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("builtins.open", refuse)
    found = probe(path)
    assert (found.size, found.problem) == (-1, f"not readable: {os.strerror(number)}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_missing_permission(tmp_path, rng):
    path = write(tmp_path / "a.wav", noise(rng))
    os.chmod(path, stat.S_IWUSR)
    assert probe(path).problem == "not readable: Permission denied"


def test_a_file_that_grows_while_it_is_read_is_not_taken(tmp_path, rng, monkeypatch):
    path = write(tmp_path / "a.wav", noise(rng))
    real = os.fstat
    calls = []

    def growing(descriptor):
        calls.append(descriptor)
        with open(path, "ab") as file:
            file.write(b"more")
        return real(descriptor)

    monkeypatch.setattr("ser_pipeline.manifest.probe.os.fstat", growing)
    found = probe(path)
    assert (found.size, found.problem) == (-1, "changed while it was read; build again when it is complete")


def test_a_length_left_open_is_a_bad_header(tmp_path, rng):
    path = tmp_path / "a.flac"
    write(path, noise(rng, 0.5))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # total samples in STREAMINFO: 36 bits from here on; 0 means unknown
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert probe(str(path)).problem == "bad header: it gives no length; encode the recording again"


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
    assert bytes_missing(file, len(data)) == 0
    assert file.reads <= MAX_CHUNKS + 2
