import hashlib
import io
import os
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from ser_pipeline.audio import decode
from ser_pipeline.audio.decode import (
    EXCERPT_RATE,
    EXCERPT_S,
    MemoryFile,
    decode_file,
    excerpt,
    excerpts,
    read_channels,
    read_recording,
    read_segment,
    resample,
)
from ser_pipeline.audio.mono import mixed
from ser_pipeline.audio.sound import LEAD_FRAMES, opened
from ser_pipeline.errors import AudioEmpty, AudioError, AudioMissing, AudioSilent
from ser_pipeline.records import Segment


def tone(seconds=0.5, sample_rate=16_000, hz=440.0, gain=0.3):
    return (gain * np.sin(2 * np.pi * hz * np.arange(round(seconds * sample_rate)) / sample_rate)).astype(
        np.float32
    )


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 24_414, 44_100, 48_000, 96_000, 192_000])
def test_equals_librosa_at_every_sample_rate(tmp_path, sample_rate):
    path = tmp_path / "a.wav"
    wave = tone(0.7, sample_rate)
    sf.write(path, wave - wave.mean(), sample_rate, subtype="FLOAT")
    expected, _ = librosa.load(path, sr=22_050)
    assert decode_file(path, 22_050) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [("PCM_U8", 1e-2), ("PCM_16", 1e-4), ("PCM_24", 1e-6), ("PCM_32", 1e-6), ("FLOAT", 0), ("DOUBLE", 1e-7)],
)
def test_reads_every_sample_format(tmp_path, subtype, tolerance):
    wave = tone()
    sf.write(tmp_path / "a.wav", wave, 16_000, subtype=subtype)
    assert decode_file(tmp_path / "a.wav", 16_000) == pytest.approx(wave, abs=max(tolerance, 1e-12))


def test_channels_are_averaged(tmp_path):
    left, right = tone(hz=300), tone(hz=500)
    sf.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    assert decode_file(tmp_path / "a.wav", 16_000) == pytest.approx((left + right) / 2, abs=1e-7)


def test_an_offset_is_gone_before_a_recording_is_resampled(tmp_path):
    """Resampling 0.03 of full scale from its first sample on would begin with a click."""
    wave = np.concatenate([np.zeros(4_000), tone(), np.zeros(4_000)]).astype(np.float32)
    sf.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    sf.write(tmp_path / "b.wav", wave + np.float32(0.03), 16_000, subtype="FLOAT")
    without, with_offset = (decode_file(tmp_path / name, 22_050) for name in ("a.wav", "b.wav"))
    assert with_offset == pytest.approx(without, abs=1e-6)


def test_a_wrong_cable_leaves_the_louder_channel(tmp_path):
    both = np.stack([0.5 * tone(), -0.6 * tone()], axis=1)
    sf.write(tmp_path / "a.wav", both, 16_000, subtype="FLOAT")
    assert decode_file(tmp_path / "a.wav", 16_000) == pytest.approx(both[:, 1], abs=1e-6)
    assert read_segment(tmp_path / "a.wav", Segment(0.1, 0.4), 16_000).wave == pytest.approx(
        both[1_600:6_400, 1], abs=1e-6
    )


def read_digest(path):
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def test_channels_are_read_as_they_are(tmp_path):
    path = tmp_path / "a.wav"
    both = np.stack([tone(sample_rate=48_000), -tone(sample_rate=48_000)], axis=1)  # their mean is silent
    sf.write(path, both, 48_000, subtype="FLOAT")
    found = read_channels(path)
    read_channels(path, max_s=0.1)
    assert np.array_equal(found.samples, both)
    assert (found.sample_rate, found.digest) == (48_000, read_digest(path))
    part = Segment(0.1, 0.3)
    assert np.array_equal(read_channels(path, part).samples, both[4_800:14_400])
    assert read_channels(path, part).digest == part.digest(read_digest(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda w: 0 * w, "silent"), (lambda w: w * np.nan, "non-finite"), (lambda w: w[:0], "empty")],
)
def test_channels_that_say_nothing_are_refused(tmp_path, change, message):
    wave = np.stack([tone(), 0 * tone()], axis=1)
    sf.write(tmp_path / "a.wav", change(wave), 16_000, subtype="FLOAT")
    with pytest.raises(AudioError, match=rf"^a\.wav: {message}"):
        read_channels(tmp_path / "a.wav")


def test_flac_gives_the_samples_of_wav(tmp_path):
    wave = (tone() * 32_768).astype(np.int16)
    sf.write(tmp_path / "a.wav", wave, 16_000)
    sf.write(tmp_path / "a.flac", wave, 16_000)
    assert np.array_equal(decode_file(tmp_path / "a.wav", 22_050), decode_file(tmp_path / "a.flac", 22_050))


def test_the_digest_is_of_the_bytes_decoded(tmp_path):
    path = tmp_path / "a.wav"
    sf.write(path, tone(), 16_000)
    assert read_recording(path, 16_000).digest == read_digest(path)


def test_large_files_are_hashed_in_pieces_with_the_same_digest(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    sf.write(path, tone(2.0), 16_000)
    whole = read_recording(path, 16_000)
    monkeypatch.setattr("ser_pipeline.audio.decode.WHOLE_BYTES", 100)
    pieces = read_recording(path, 16_000)
    assert pieces.digest == whole.digest
    assert np.array_equal(pieces.wave, whole.wave)


def test_long_recordings_are_read_up_to_the_limit(tmp_path):
    sf.write(tmp_path / "a.wav", tone(3.0), 16_000)
    assert decode_file(tmp_path / "a.wav", 16_000, max_s=1.0).shape == (16_000,)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(AudioMissing, match=r"gone\.wav: cannot be read: No such file"):
        decode_file(tmp_path / "gone.wav", 16_000)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty: 0 bytes"),
        (b"RIFF....WAVEnothing", "bad header: it is damaged or contradicts itself"),
        (b"\0" * 500, "not a recording"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, content, message):
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=f"bad.wav: .*({message})"):
        decode_file(path, 16_000)


def wav_of(path: Path, samples, sample_rate=16_000) -> Path:
    sf.write(path, np.asarray(samples, np.float32), sample_rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "empty"),
        (np.zeros(8_000), "silent"),
        (np.full(8_000, 0.3), "silent"),
        (np.stack([tone(), tone() * np.nan], axis=1), "non-finite: 8,000 samples"),
        (np.r_[tone(), np.nan], "non-finite: 1 sample "),
        (np.r_[tone(), np.inf, -np.inf], "non-finite: 2 samples"),
        (tone(0.01), "too short: 10 ms; at least 100 ms"),
        (tone() * 1e30, "no sound: samples up to 3e\\+29 times full scale"),
    ],
)
def test_a_wave_that_says_nothing_is_refused(tmp_path, samples, message):
    with pytest.raises(AudioError, match=f"clip.wav: {message}"):
        decode_file(wav_of(tmp_path / "clip.wav", samples), 16_000)


@pytest.mark.parametrize("samples", [1, 2, 999, 48_000, 48_001])
def test_resampled_length_is_rounded_up(samples):
    assert resample(np.ones(samples, np.float32), 48_000, 22_050).size == int(
        np.ceil(samples * 22_050 / 48_000)
    )


@pytest.mark.parametrize("wanted_rate", [16_000, 22_050])
def test_a_recording_keeps_its_samples_when_the_next_is_read(tmp_path, wanted_rate):
    sf.write(tmp_path / "a.wav", tone(hz=300), 16_000)
    sf.write(tmp_path / "b.wav", tone(hz=500), 16_000)
    first = decode_file(tmp_path / "a.wav", wanted_rate)
    before = first.copy()
    decode_file(tmp_path / "b.wav", wanted_rate)
    assert np.array_equal(first, before)


moves = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 40)),
    st.tuples(st.just("readinto"), st.integers(0, 40)),
    st.tuples(st.sampled_from([os.SEEK_SET, os.SEEK_END]), st.integers(0, 50)),
)


def answer(file, move, count):
    if move == "read":
        return file.read(count)
    if move == "readinto":
        part = bytearray(count)
        return file.readinto(memoryview(part)), part
    return file.seek(count, move)


@given(data=st.binary(max_size=60), steps=st.lists(moves, max_size=12))
def test_answers_as_a_file_of_pythons_own(data, steps):
    own, expected = MemoryFile(memoryview(data)), io.BytesIO(data)
    for move, count in steps:
        assert answer(own, move, count) == answer(expected, move, count)
        assert own.tell() == expected.tell()


def test_no_place_lies_before_the_start():
    file = MemoryFile(memoryview(b"abc"))
    assert file.seek(-10, os.SEEK_END) == 0
    assert file.seek(-1, os.SEEK_CUR) == 0


@pytest.mark.parametrize(
    ("name", "own_rate", "form"),
    [
        ("a.wav", 44_100, {}),
        ("a.flac", 22_050, {}),
        ("a.ogg", 16_000, {}),
        ("a.opus", 48_000, {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", 44_100, {}),
        ("stereo.wav", 48_000, {}),
    ],
)
def test_a_segment_is_what_cutting_first_gives(tmp_path, rng, name, own_rate, form):
    wave = 0.1 * rng.standard_normal((own_rate * 4, 2 if name == "stereo.wav" else 1))
    sf.write(tmp_path / name, wave, own_rate, **form)
    whole = sf.read(tmp_path / name, dtype="float32", always_2d=True)[0].mean(axis=1)
    for start_s, end_s in [(0.0, 1.0), (1.237, 2.9), (3.5, None)]:
        read = read_segment(tmp_path / name, Segment(start_s, end_s), 16_000)
        first, count = round(start_s * own_rate), round(((end_s or 4.0) - start_s) * own_rate)
        cut = resample(mixed(whole[first : first + count]), own_rate, 16_000)
        assert read.wave == pytest.approx(cut, abs=1e-6)
        assert read.sample_rate == 16_000
        whole_digest = hashlib.blake2b((tmp_path / name).read_bytes(), digest_size=16).hexdigest()
        lead = LEAD_FRAMES if name in ("a.mp3", "a.opus") else 0
        assert read.digest == Segment(start_s, end_s).digest(whole_digest, lead)


def test_only_the_samples_of_a_segment_are_decoded(tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", tone(30.0), 16_000)
    asked = []
    monkeypatch.setattr(decode, "buffer", lambda name, size: asked.append(size) or np.empty(size, np.float32))
    read_segment(tmp_path / "a.wav", Segment(20.0, 20.5), 16_000)
    assert asked == [8_000]


def test_a_file_is_hashed_once_for_its_segments_and_again_when_it_changes(tmp_path, monkeypatch):
    path, hashed, digest = tmp_path / "a.wav", [], decode._digest
    monkeypatch.setattr(decode, "_digest", lambda handle: hashed.append(1) or digest(handle))
    sf.write(path, tone(3.0), 16_000)
    first = [read_segment(path, Segment(start, start + 0.5), 16_000).digest for start in (0.0, 1.0, 2.0)]
    assert (len(hashed), len({*first})) == (1, 3)
    sf.write(path, tone(3.0, hz=300.0), 16_000)
    os.utime(path, ns=(1, 1))
    assert read_segment(path, Segment(0.0, 0.5), 16_000).digest != first[0]
    assert len(hashed) == 2


def test_a_segment_that_cannot_be_used_says_which(tmp_path):
    sf.write(tmp_path / "a.wav", np.concatenate([tone(1.0), np.zeros(16_000, np.float32)]), 16_000)
    with pytest.raises(AudioSilent, match=r"a\.wav#1\.100-1\.900: silent"):
        read_segment(tmp_path / "a.wav", Segment(1.1, 1.9), 16_000)
    with pytest.raises(AudioError, match=r"a\.wav#7\.000-8\.000: empty"):
        read_segment(tmp_path / "a.wav", Segment(7.0, 8.0), 16_000)
    with pytest.raises(AudioMissing, match="gone"):
        read_segment(tmp_path / "gone.wav", Segment(1.0), 16_000)


def test_a_long_segment_is_read_up_to_a_minute(tmp_path):
    sf.write(tmp_path / "a.wav", tone(70.0, 8_000), 8_000)
    assert read_segment(tmp_path / "a.wav", Segment(2.0, 69.0), 8_000).wave.size == 60 * 8_000


def test_no_more_is_decoded_than_is_wanted_of_formats_that_are_decoded_from_their_start(
    tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        decode, "opened", lambda *args, most_s: asked.append(most_s) or opened(*args, most_s=most_s)
    )
    sf.write(tmp_path / "a.wav", tone(3.0), 16_000)
    read_recording(tmp_path / "a.wav", 16_000, max_s=2.0)
    read_segment(tmp_path / "a.wav", Segment(1.5, 2.5), 16_000, max_s=2.0)
    assert asked == [3.0, 2 * 4.5]


def test_what_ffmpeg_decodes_is_kept_for_the_next_segments(tmp_path, monkeypatch, fake_ffmpeg):
    path, asked = tmp_path / "a.amr", []
    path.write_bytes(b"#!AMR\n" + bytes(100))
    wave = tone(5.0)
    fake_ffmpeg(wave=wave)
    monkeypatch.setattr(
        decode, "opened", lambda *args, most_s: asked.append(most_s) or opened(*args, most_s=most_s)
    )

    def read(start_s):
        found = read_segment(path, Segment(start_s, start_s + 0.5), 16_000, max_s=1.0).wave
        cut = wave[round(start_s * 16_000) : round((start_s + 0.5) * 16_000)]
        assert found == pytest.approx(mixed(cut), abs=1e-6)

    for start_s in (1.5, 0.5, 0.0, 3.25):
        read(start_s)
    assert asked == [2 * 3.5]
    with pytest.raises(AudioEmpty, match=r"^a\.amr#5\.000-6\.000: "):
        read_segment(path, Segment(5.0, 6.0), 16_000, max_s=1.0)
    path.write_bytes(b"#!AMR\n" + bytes(200))
    read(0.5)
    fake_ffmpeg(wave=wave, version="9.2")
    read(0.5)
    assert asked[1:] == [2 * 2.5, 2 * 2.5]


def test_channels_of_a_segment_that_cannot_be_read_say_which(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound at all")
    with pytest.raises(AudioError, match=r"^a\.wav#1\.000-2\.000: "):
        read_channels(tmp_path / "a.wav", segment=Segment(1.0, 2.0))


@pytest.fixture
def long_tone(tmp_path):
    """Nine seconds at 16 kHz, stereo; the pitch doubles after the seventh."""
    time = np.arange(9 * 16_000) / 16_000
    wave = 0.4 * np.sin(2 * np.pi * np.where(time < 7, 400, 800) * time)
    sf.write(tmp_path / "a.flac", np.stack([wave, wave], 1), 16_000)
    return tmp_path / "a.flac"


def pitch(wave):
    spectrum = np.abs(np.fft.rfft(wave))
    return spectrum.argmax() * EXCERPT_RATE / len(wave)


def test_an_excerpt_is_a_short_mp3_of_the_beginning(long_tone):
    wave, rate = sf.read(io.BytesIO(excerpt(long_tone)))
    assert (rate, wave.ndim) == (EXCERPT_RATE, 1)
    assert len(wave) / rate == pytest.approx(EXCERPT_S, abs=0.1)
    assert pitch(wave) == pytest.approx(400, abs=2)
    assert len(excerpt(long_tone)) < 80_000


def test_of_a_segment_only_its_own_part_is_heard(long_tone):
    wave, rate = sf.read(io.BytesIO(excerpt(long_tone, Segment(7.5, 8.5))))
    assert len(wave) / rate == pytest.approx(1.0, abs=0.1)
    assert pitch(wave) == pytest.approx(800, abs=3)


def test_what_cannot_be_had_is_none(long_tone):
    (long_tone.parent / "b.wav").write_text("no sound")
    heard = excerpts(long_tone.parent, {"a": ("a.flac", None), "b": ("b.wav", None), "c": ("gone.wav", None)})
    assert heard("a") == excerpt(long_tone)
    assert [heard(name) for name in ("b", "c", "unknown")] == [None, None, None]


def test_a_library_without_mp3_is_named(long_tone, monkeypatch):
    monkeypatch.setattr(sf, "available_formats", lambda: {"WAV": ""})
    with pytest.raises(AudioError, match="writes no MP3"):
        excerpt(long_tone)
