"""Recordings as people have them, of any form and name: a good one gets a row, a bad one a reason."""

import os

import numpy as np
import pytest
import soundfile as sf

from ser_pipeline.store import build_store, open_store


def noise(rng, seconds, rate=16_000, channels=1):
    return 0.1 * rng.standard_normal((round(seconds * rate), channels)).astype(np.float32)


def one(corpus, tmp_path, front_end, name):
    """Build a store of one recording; its row, or the reason it has none."""
    corpus.names = [name]
    summary = build_store(corpus.manifest(), corpus.folder, tmp_path / "cache", front_end)
    if summary.failures:
        return summary.failures[0].reason
    store = open_store(tmp_path / "cache", front_end)
    values, frames, _ = store.read(store.rows([corpus.digest(name)]))
    assert np.isfinite(values).all()
    return int(frames[0])


@pytest.mark.parametrize(
    "subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
def test_any_depth(corpus, tmp_path, front_end, rng, subtype):
    sf.write(corpus.folder / "x.wav", noise(rng, 0.5), 16_000, subtype=subtype)
    assert one(corpus, tmp_path, front_end, "x.wav") == 22


@pytest.mark.parametrize("channels", [2, 6])
def test_any_number_of_channels(corpus, tmp_path, front_end, rng, channels):
    sf.write(corpus.folder / "x.wav", noise(rng, 0.5, channels=channels), 16_000)
    assert one(corpus, tmp_path, front_end, "x.wav") == 22


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000, 192_000])
def test_any_rate(corpus, tmp_path, front_end, rng, rate):
    sf.write(corpus.folder / "x.wav", noise(rng, 0.5, rate), rate)
    assert one(corpus, tmp_path, front_end, "x.wav") == 22


def test_ten_milliseconds(corpus, tmp_path, front_end, rng):
    sf.write(corpus.folder / "x.wav", noise(rng, 0.01), 16_000)
    found = one(corpus, tmp_path, front_end, "x.wav")
    assert found == 1 or "short" in found


@pytest.mark.slow
def test_thirty_minutes(corpus, tmp_path, front_end, rng):
    sf.write(corpus.folder / "x.wav", np.tile(noise(rng, 60), (30, 1)), 16_000)
    assert one(corpus, tmp_path, front_end, "x.wav") == front_end.max_frames


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty|not a recording"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "bad header"),
        (bytes(range(256)) * 40, "not a recording"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not a recording|LFS"),
    ],
)
def test_what_is_no_recording_is_named(corpus, tmp_path, front_end, content, reason):
    import re

    (corpus.folder / "x.wav").write_bytes(content)
    assert re.search(reason, one(corpus, tmp_path, front_end, "x.wav"))


def test_silence_is_named(corpus, tmp_path, front_end):
    sf.write(corpus.folder / "x.wav", np.zeros(8_000), 16_000)
    assert "silent" in one(corpus, tmp_path, front_end, "x.wav")


def test_a_truncated_recording_gives_what_is_there_or_a_reason(corpus, tmp_path, front_end, rng):
    sf.write(corpus.folder / "x.wav", noise(rng, 1.0), 16_000)
    whole = (corpus.folder / "x.wav").read_bytes()
    (corpus.folder / "x.wav").write_bytes(whole[: len(whole) // 2 + 1])
    found = one(corpus, tmp_path, front_end, "x.wav")
    assert found == 22 or isinstance(found, str)


@pytest.mark.parametrize("form", ["FLAC", "OGG", "AIFF", "MP3"])
def test_a_recording_of_another_form_than_its_name_says(corpus, tmp_path, front_end, rng, form):
    sf.write(corpus.folder / "x.wav", noise(rng, 0.5), 16_000, format=form)
    assert one(corpus, tmp_path, front_end, "x.wav") >= 22


@pytest.mark.parametrize(
    "name", ["a  b .wav", " lead.wav", "tab\tnew\nline.wav", "ärger-злость-怒り.wav", "-rf.wav"]
)
def test_any_name(corpus, tmp_path, front_end, rng, name):
    sf.write(corpus.folder / name, noise(rng, 0.5), 16_000)
    assert one(corpus, tmp_path, front_end, name) == 22


@pytest.mark.slow
def test_a_name_that_is_not_utf_8_is_rejected_by_name_and_the_rest_is_cached(home):
    home.fill(40)
    good = next(home.wav.iterdir())
    with open(os.fsencode(home.wav) + b"/03a01F\xff.wav", "wb") as file:
        file.write(good.read_bytes()[:-2])
    (home.wav / "03 a01 Fa.wav").write_bytes(good.read_bytes()[:-4])
    status, printed, said = home.ser("manifest", "build")
    assert status == 0
    assert "Traceback" not in said
    assert "40 recordings" in printed + said
    assert "40 of 40" in home.mels()[1]
