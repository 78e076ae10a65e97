import io
import json
import shutil
import subprocess
import tempfile

import numpy as np
import pytest

from ser_pipeline.audio import ffmpeg
from ser_pipeline.audio.decode import read_recording
from ser_pipeline.audio.ffmpeg import ABSENT, decoded, decoder, installed
from ser_pipeline.audio.sound import opened
from ser_pipeline.errors import AudioError, AudioMissing
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.records import digest_as_decoded
from tests.audio.conftest import bursts, encoded

AMR = b"#!AMR\n" + bytes(100)


def test_it_is_looked_for_once_and_named_with_its_version(fake_ffmpeg, monkeypatch):
    fake_ffmpeg(version="9.1-7ubuntu")
    assert installed().name == decoder() == "ffmpeg 9.1-7ubuntu"
    monkeypatch.setattr(subprocess, "run", None)
    assert decoder() == "ffmpeg 9.1-7ubuntu"


def test_without_it_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (installed(), decoder()) == (None, ABSENT)
    with pytest.raises(
        AudioMissing, match=r"^a\.amr: AMR needs ffmpeg, which is not installed: install it .* or convert"
    ):
        opened(io.BytesIO(AMR), "a.amr").__enter__()


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "no program"])
def test_a_program_that_does_not_start_is_none(tmp_path, monkeypatch, text):
    (tmp_path / "ffmpeg").write_text(text)
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installed() is None


def test_samples_are_those_that_it_writes(fake_ffmpeg, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    wave = bursts(0.5, 16_000, 2)
    fake_ffmpeg(wave=wave)
    with opened(io.BytesIO(AMR), "a.amr") as sound:
        assert (sound.frames, sound.sample_rate, sound.channels) == (8_000, 16_000, 2)
        assert sound.decoder == "ffmpeg 9.1"
        assert np.array_equal(next(sound.blocks()), wave)
    assert not list(scratch.iterdir())


def test_it_sees_no_name_and_is_told_the_format(fake_ffmpeg, tmp_path, monkeypatch):
    monkeypatch.setenv("FFREPORT", "file=/tmp/log")
    folder = fake_ffmpeg(wave=bursts(1.0, 16_000))
    for name in ("-i", "http:a.amr", "a;touch b", "concat:x|y"):
        path = tmp_path / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(AMR)
        read_recording(path, 16_000)
        seen = json.loads((folder / "seen.json").read_text())
        assert not any(name in word for word in seen["args"] if word != "-i")
        assert seen["args"].count("-i") == 1
        assert bytes.fromhex(seen["given"]) == AMR
        assert seen["there"] == ["recording"]
        assert "FFREPORT" not in seen["env"]
        before = seen["args"][: seen["args"].index("-i")]
        assert before[before.index("-protocol_whitelist") + 1] == "file,pipe"
        assert before[before.index("-f") + 1] == "amr"


def test_another_version_is_another_recording(fake_ffmpeg, tmp_path):
    path = tmp_path / "a.amr"
    path.write_bytes(AMR)
    digests = []
    for version in ("9.1", "9.2", "9.1"):
        fake_ffmpeg(wave=bursts(1.0, 16_000), version=version)
        digests.append(read_recording(path, 16_000).digest)
    assert digests[0] == digests[2] == digest_as_decoded(digest_bytes(AMR), "ffmpeg 9.1")
    assert len({*digests, digest_bytes(AMR)}) == 3


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("sys.exit(1)", "bad header: ffmpeg cannot decode it: AMR"),
        (
            "print('x: moov atom not found', file=sys.stderr); sys.exit(1)",
            "truncated: its end is missing: AMR",
        ),
        ("print('offset 0x1: partial file', file=sys.stderr)", "truncated: its end is missing: AMR"),
        (
            "print(\"'0:a:0' matches no streams\", file=sys.stderr); sys.exit(1)",
            "empty: there is no sound in it: AMR",
        ),
        ("print('no wav')", "not a recording"),
        ("", "bad header: ffmpeg cannot decode it: AMR"),
    ],
)
def test_what_it_cannot_decode_is_told_in_words_of_ours(fake_ffmpeg, action, says):
    fake_ffmpeg(action)
    with pytest.raises(AudioError, match=rf"^a\.amr: {says}"):
        opened(io.BytesIO(AMR), "a.amr").__enter__()


def test_one_that_hangs_is_ended(fake_ffmpeg, monkeypatch):
    fake_ffmpeg("time.sleep(60)")
    monkeypatch.setattr(ffmpeg, "TIMEOUT_S", 0.5)
    with pytest.raises(AudioMissing, match=r"a\.amr: ffmpeg had not decoded it after 0\.5 s"):
        opened(io.BytesIO(AMR), "a.amr").__enter__()


def test_output_is_bounded(fake_ffmpeg, monkeypatch):
    fake_ffmpeg(wave=bursts(2.0, 16_000))
    monkeypatch.setattr(ffmpeg, "LARGEST", 100_000)
    with pytest.raises(AudioError, match="too long: AMR that gives more than"):
        opened(io.BytesIO(AMR), "a.amr").__enter__()


def test_no_room_is_no_fault_of_the_recording(fake_ffmpeg, monkeypatch):
    fake_ffmpeg()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ffmpeg, "TemporaryDirectory", full)
    with pytest.raises(AudioMissing, match="AMR cannot be decoded here: No space left on device"):
        opened(io.BytesIO(AMR)).__enter__()


@pytest.fixture(scope="module")
def real():
    """The ffmpeg of this machine, as a function that makes recordings."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")

    def make(path, *options, seconds=2):
        source = f"aevalsrc=0.3*sin(600*PI*t)*(1+sin(9*t)):s=44100:d={seconds}"
        command = [program, "-y", "-v", "error", "-f", "lavfi", "-i", source, *options, str(path)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            pytest.skip(f"this ffmpeg cannot write {path.name}")
        return path.read_bytes()

    return make


REAL = {
    "a.m4a": ("-c:a", "aac"),
    "fast.mp4": ("-c:a", "aac", "-movflags", "+faststart"),
    "fragments.mp4": ("-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "a.3gp": ("-c:a", "aac"),
    "lossless.m4a": ("-c:a", "alac"),
    "a.webm": ("-c:a", "libopus"),
    "a.mka": ("-c:a", "aac"),
    "a.wma": ("-c:a", "wmav2"),
    "a.aac": ("-c:a", "aac"),
    "a.wv": ("-c:a", "wavpack"),
    "speex.ogg": ("-c:a", "libspeex", "-ar", "16000"),
    "g722.wav": ("-c:a", "g722", "-ar", "16000"),
    "a.ts": ("-c:a", "aac", "-f", "mpegts"),
    "a.amr": ("-c:a", "libopencore_amrnb", "-ar", "8000", "-ac", "1", "-b:a", "12.2k"),
}


@pytest.mark.parametrize("name", REAL)
def test_real_recordings_are_decoded_whole(real, tmp_path, name):
    data = real(tmp_path / name, *REAL[name])
    with opened(io.BytesIO(data), name) as sound:
        assert sound.duration_s == pytest.approx(2.0, abs=0.1)
        wave = np.concatenate([block.copy() for block in sound.blocks()])[:, 0]
        assert sound.decoder.startswith("ffmpeg ")
        spectrum = np.abs(np.fft.rfft(wave))
        assert spectrum.argmax() / sound.duration_s == pytest.approx(300, abs=3)
    with opened(io.BytesIO(data), name, most_s=0.5) as sound:
        assert sound.duration_s == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", ["a.m4a", "fast.mp4", "fragments.mp4", "lossless.m4a"])
def test_real_recordings_that_were_cut_are_told(real, tmp_path, name):
    data = real(tmp_path / name, *REAL[name])
    with pytest.raises(AudioError, match="truncated"):
        opened(io.BytesIO(data[: len(data) * 2 // 3]), name).__enter__()


def test_sound_that_begins_later_than_its_video_keeps_its_time(real, tmp_path):
    picture = ("-f", "lavfi", "-i", "color=s=16x16:r=5:d=1", "-map", "1:v", "-c:v", "ffv1")
    late = ("-map", "0:a", "-af", "asetpts=PTS+0.5/TB", "-c:a", "flac", "-t", "0.9")
    data = real(tmp_path / "a.mkv", *picture, *late)
    with opened(io.BytesIO(data), most_s=0.7) as sound:
        wave = next(sound.blocks())[:, 0]
    assert np.flatnonzero(wave)[0] == pytest.approx(0.5 * 44_100, abs=44)
    assert len(wave) == pytest.approx(0.7 * 44_100, abs=1)


def test_real_recordings_of_several_parts_are_read_whole(real, tmp_path):
    data = real(tmp_path / "a.ogg", "-c:a", "libvorbis")
    with opened(io.BytesIO(data + data)) as sound:
        assert sound.duration_s == pytest.approx(4.0, abs=0.1)
    other = real(tmp_path / "a.opus", "-c:a", "libopus")
    with pytest.raises(AudioError, match="cannot be decoded whole"):
        opened(io.BytesIO(data + other)).__enter__()


def test_a_real_video_without_sound_is_told(real, tmp_path):
    data = real(tmp_path / "a.mkv", "-f", "lavfi", "-i", "color=s=16x16:d=1", "-map", "1:v", "-c:v", "ffv1")
    with pytest.raises(AudioError, match=r"empty: there is no sound in it: WebM or Matroska"):
        opened(io.BytesIO(data)).__enter__()


def test_a_playlist_opens_no_other_file(real, tmp_path):
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encoded(bursts(1.0, 16_000), 16_000, format="WAV"))
    for text in (
        f"ffconcat version 1.0\nfile {secret}\n",
        f"#EXTM3U\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
    ):
        with pytest.raises(AudioError, match="not a recording"):
            opened(io.BytesIO(text.encode())).__enter__()
        with (
            pytest.raises(AudioError, match=r"truncated: its end is missing|ffmpeg cannot decode it"),
            decoded(io.BytesIO(text.encode()), "mov", "MPEG-4"),
        ):
            pass
