import errno
import os
import re
import stat

import numpy as np
import pytest
import soundfile

from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.probe import Probe, probe


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
        (b"not audio at all", "not a recording: it does not start like any audio format"),
        (bytes(5000), "not a recording"),
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
        (np.r_[np.ones(4000) * 0.1, np.nan], "holds samples that are not finite numbers"),
        (np.r_[np.inf, np.ones(4000) * 0.1], "holds samples that are not finite numbers"),
    ],
)
def test_unusable_samples_are_found_by_decoding_alone(tmp_path, samples, reason):
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert probe(path, decode=True).decode_problem == reason
    assert probe(path).decode_problem is None
    assert not probe(path).decoded


@pytest.mark.parametrize("samples", [np.zeros(8000), np.full(8000, 0.3), np.full((8000, 2), (0.2, -0.2))])
def test_silence_is_found_by_decoding_alone(tmp_path, samples):
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    why = "silent: no sample is 0.0001 of full scale away from their mean"
    assert probe(path, decode=True)[-3:] == (None, why, None)
    assert probe(path)[-3:] == (None, None, None)


def test_a_whole_recording_is_judged_by_its_first_minute(tmp_path, rng):
    path = write(tmp_path / "a.wav", np.r_[np.zeros(60 * 8000), noise(rng)[:, 0]], 8000)
    assert "silent" in probe(path, decode=True).wave_problem
    path = write(tmp_path / "a.wav", np.r_[np.zeros(59 * 8000), noise(rng, 1.0)[:, 0]], 8000)
    assert probe(path, decode=True)[-3:] == (None, None, None)


@pytest.mark.parametrize(("other", "channel"), [(-1.5, 2), (-0.9, 1), (-0.5, None), (1.0, None)])
def test_the_channel_that_stands_alone_is_named(tmp_path, rng, other, channel):
    wave = 0.5 * noise(rng)[:, 0]
    path = write(tmp_path / "a.wav", np.stack([wave, other * wave], axis=1), subtype="FLOAT")
    assert probe(path, decode=True)[-3:] == (None, None, channel)
    assert probe(path).channel is None


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

    monkeypatch.setattr("io.open", refuse)
    found = probe(path)
    assert (found.size, found.problem) == (-1, f"not readable: {os.strerror(number)}")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="it may read everything")
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
