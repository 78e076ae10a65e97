"""Everything bad that a build can meet: one clear reason, nothing lost, nothing half-written."""

import os
import shutil

import pytest
import soundfile

from ser_pipeline.api import build_manifest
from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import CorpusError, ManifestError, SerError
from ser_pipeline.manifest import SCHEMA, probe_cache, read_manifest, read_rejects
from ser_pipeline.manifest.schema import REJECT_SCHEMA
from ser_pipeline.splits import read_split


def test_every_bad_recording_is_a_reject_with_its_reason(data, out, record, built, rejects):
    wav = data / "EmoDB" / "wav"
    (wav / "03a01Aa.wav").write_bytes(b"")
    (wav / "03a01Ea.wav").write_bytes(b"RIFF and then nothing")
    (wav / "03a01La.wav").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    record(wav / "03a02Wa.wav", seconds=0.01, seed=200)
    whole = record(wav / "03a02Fa.wav", seed=201)
    whole.write_bytes(whole.read_bytes()[:-10])
    shutil.copy(wav / "03a01Wa.wav", wav / "03a04Wa.wav")
    record(data / "EmoDB" / "copy" / "03a01Fa.wav", seed=202)
    record(wav / "03a01Xa.wav", seed=203)
    record(wav / "what is this.wav", seed=204)
    record(wav / "._03a01Wa.wav", seed=205)
    record(data / "Unknown" / "x.wav", seed=206)
    (wav / "03a05Wa.wav").symlink_to("nowhere.wav")
    summary = built(data, out)
    expected = {
        "EmoDB/wav/03a01Aa.wav": "empty: 0 bytes",
        "EmoDB/wav/03a01Ea.wav": "not a recording: it does not start like any audio format",
        "EmoDB/wav/03a01La.wav": "Git LFS pointer",
        "EmoDB/wav/03a02Wa.wav": "too short: 0.010 s",
        "EmoDB/wav/03a02Fa.wav": "truncated: 10 of the",
        "EmoDB/wav/03a04Wa.wav": "duplicate audio: 'emodb/wav/03a04Wa' has the same bytes as 'emodb/",
        "EmoDB/wav/03a01Fa.wav": "duplicate id: 'EmoDB/copy/03a01Fa.wav' is 'emodb/wav/03a01Fa', too",
        "EmoDB/wav/03a01Xa.wav": "emotion 'X' does not exist",
        "EmoDB/wav/what is this.wav": "name does not follow",
        "EmoDB/wav/._03a01Wa.wav": "side file of macOS",
        "Unknown/x.wav": "follows the layout of no known corpus",
        "EmoDB/wav/03a05Wa.wav": "a broken link",
    }
    found = rejects(out)
    assert (summary.files, summary.rejects) == (48, 12)
    assert found.keys() == expected.keys()
    for path, reason in expected.items():
        assert reason in found[path][1]
    assert found["Unknown/x.wav"][0] == "unknown"
    assert {kind.example for kind in summary.reasons} == found.keys()  # each has a reason of its own


@pytest.mark.parametrize(
    ("samples", "reason"), [([0.0] * 8000, "silent"), ([float("nan")] * 8000, "not finite")]
)
def test_decode_finds_what_headers_hide(data, out, samples, reason, built, rejects):
    path = data / "EmoDB/wav/03a01Fa.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    assert built(data, out).rejects == 0
    assert built(data, out, decode=True).rejects == 1
    assert reason in rejects(out)["EmoDB/wav/03a01Fa.wav"][1]
    # what an earlier build found by decoding must not change what a later one writes
    assert built(data, out).rejects == 0


def test_a_name_that_is_not_utf8(data, out, record, built, rejects):
    source = record(data / "EmoDB/wav/03a02Wa.wav", seed=300)
    try:
        os.rename(os.fsencode(source), os.fsencode(source.parent) + b"/03a02W\xe9.wav")
    except OSError:
        pytest.skip("this file system allows UTF-8 names alone")
    summary = built(data, out)
    assert (summary.rows, summary.rejects) == (36, 1)
    assert list(rejects(out)) == ["EmoDB/wav/03a02W\\xe9.wav"]
    assert built(data, out).read == 0


def test_an_unreadable_recording_is_tried_again(data, out, monkeypatch, built, rejects):
    real = probe_cache.probe

    def refusing(path, **options):
        if path.endswith("03a01Fa.wav"):
            return real("/nonexistent")._replace(problem="not readable: Permission denied")
        return real(path, **options)

    monkeypatch.setattr(probe_cache, "probe", refusing)
    assert built(data, out).rejects == 1
    assert rejects(out)["EmoDB/wav/03a01Fa.wav"] == ("emodb", "not readable: Permission denied")
    monkeypatch.setattr(probe_cache, "probe", real)
    summary = built(data, out)
    assert (summary.rejects, summary.read) == (0, 1)


def test_strict_raises_after_everything_is_written(data, out, built, rejects):
    built(data, out, strict=True)
    (data / "EmoDB/wav/03a01Aa.wav").write_bytes(b"")
    with pytest.raises(
        ManifestError,
        match=r"1 of 37 recordings was rejected: 1 x empty: 0 bytes \(EmoDB/wav/03a01Aa.wav\); all are in",
    ):
        build_manifest(data, out, strict=True)
    assert read_manifest(out).table.num_rows == 36
    assert len(rejects(out)) == 1


def test_strict_counts_what_it_does_not_name(data, out):
    for number in range(12):
        (data / f"New{number:02d}").mkdir()
        (data / f"New{number:02d}/x.wav").write_bytes(b"")
    with pytest.raises(ManifestError, match=r"12 of 48 recordings were rejected: .* and 2 more; all are in"):
        build_manifest(data, out, strict=True)


def test_an_interrupted_build_leaves_the_old_manifest_and_continues(
    data, out, record, monkeypatch, built, contents
):
    built(data, out)
    before = contents(out)
    for number in range(6):
        record(data / f"EmoDB/wav/11b0{number % 3 + 1}{'WF'[number // 3]}a.wav", seed=400 + number)
    real = probe_cache.probe
    monkeypatch.setattr(probe_cache, "READ_AT_ONCE", 1)
    calls = []

    def probe(path, **options):
        calls.append(path)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(path, **options)

    monkeypatch.setattr(probe_cache, "probe", probe)
    with pytest.raises(KeyboardInterrupt):
        build_manifest(data, out, jobs=1)
    assert contents(out) == before
    assert read_split(out, "speaker", read_manifest(out))
    monkeypatch.setattr(probe_cache, "probe", real)
    summary = built(data, out)
    assert (summary.read, summary.rows) == (3, 42)
    assert not list(out.rglob("*.partial"))


@pytest.mark.parametrize("step", ["rejects.parquet", "manifest.parquet", "speaker.parquet"])
def test_a_build_that_cannot_write_leaves_whole_files(data, out, record, monkeypatch, step, built):
    built(data, out)
    record(data / "EmoDB/wav/11b01Wa.wav", seed=500)
    real = os.replace

    def full(source, target):
        if str(target).endswith(step):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr("ser_pipeline.atomic.os.replace", full)
    with pytest.raises(SerError, match=f"{step}: no space left to write"):
        build_manifest(data, out)
    read_manifest(out)
    read_rejects(out)
    monkeypatch.setattr("ser_pipeline.atomic.os.replace", real)
    assert built(data, out).rows == 37


def test_a_data_folder_that_is_not_there(tmp_path, out):
    with pytest.raises(
        CorpusError, match=r"none: no such folder; put the corpora's folders there.*--data.*synth"
    ):
        build_manifest(tmp_path / "none", out)
    assert not out.exists()


def test_an_empty_data_folder(tmp_path, out):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no recordings found"):
        build_manifest(tmp_path / "empty", out)


def test_a_corpus_folder_that_is_half_there_is_a_warning(data, out, built):
    (data / "SAVEE" / "AudioData" / "DC").mkdir(parents=True)
    summary = built(data, out)
    assert any("savee" in line.lower() for line in summary.warnings)


def test_table_rows_without_audio_are_one_count(data, out, built):
    table = data / "nEMO" / "data.tsv"
    table.parent.mkdir()
    head = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
    lines = [f"WR0_anger_{n}.wav\tanger\tTo\tto\t WR0\tfemale\t22\n" for n in (1, 2)]
    table.write_text(head + "".join(lines), encoding="utf-8")
    samples = data / "nEMO" / "samples"
    samples.mkdir()
    shutil.copy(data / "EmoDB/wav/03a01Fa.wav", samples / "WR0_anger_1.wav")
    (data / "EmoDB/wav/03a01Fa.wav").unlink()
    summary = built(data, out)
    assert [(gap.corpus, gap.count) for gap in summary.missing] == [("nemo", 1)]
    assert {corpus.corpus: corpus.missing for corpus in summary.corpora}["nemo"] == 1


def test_nothing_usable_keeps_the_old_manifest_and_says_where_the_reasons_are(data, out, built, rejects):
    built(data, out)
    before = read_manifest(out).digest
    for path in data.rglob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(
        ManifestError,
        match=r"none of 36 recordings can be used, so no manifest was written: 16 x empty: 0 bytes",
    ):
        build_manifest(data, out)
    assert read_manifest(out).digest == before
    assert len(rejects(out)) == 36


def test_values_that_break_a_rule_are_not_written(data, out, monkeypatch):
    monkeypatch.setitem(CORPORA["emodb"]._people["03"], "age", 900)
    with pytest.raises(
        ManifestError, match=r"4 values do not fit, nothing was written: emodb/wav/03a01.*age 900"
    ):
        build_manifest(data, out)
    assert not (out / "manifest.parquet").exists()


def test_lost_rows_are_noticed(data, out, monkeypatch):
    monkeypatch.setattr(
        "ser_pipeline.manifest.build.filter_rows",
        lambda table, probes, decoded: (SCHEMA.empty_table(), REJECT_SCHEMA.empty_table(), []),
    )
    with pytest.raises(ManifestError, match="found 36 recordings, which gave 0 rows and 0 rejects"):
        build_manifest(data, out)


NEEDING = {
    "m4a": b"\0\0\0\x18ftypM4A ",
    "mp4": b"\0\0\0\x18ftypisom",
    "3gp": b"\0\0\0\x18ftyp3gp4",
    "webm": b"\x1a\x45\xdf\xa3",
    "wma": bytes.fromhex("3026b2758e66cf11"),
    "amr": b"#!AMR\n",
    "aac": b"\xff\xf1\x50\x80",
}
"""Suffix -> how such a file begins."""


@pytest.fixture
def phones(tmp_path, record):
    """A corpus with recordings as phones and browsers make them, each of another content."""
    wav = tmp_path / "data" / "EmoDB" / "wav"
    record(wav / "03a01Wa.wav")
    for letter, (suffix, start) in zip("WLEAFTN", NEEDING.items(), strict=True):
        (wav / f"03a02{letter}a.{suffix}").write_bytes((start + letter.encode() * 40)[:24] + bytes(500))
    return tmp_path / "data"


def test_recordings_that_take_ffmpeg_are_rejects_with_their_name(phones, out, built, rejects, no_ffmpeg):
    summary = built(phones, out)
    assert (summary.rows, summary.rejects) == (1, len(NEEDING))
    for path, (_, reason) in rejects(out).items():
        assert path.rpartition(".")[2] in reason.lower()
        assert "needs ffmpeg, which is not installed" in reason


def test_recordings_that_take_ffmpeg_are_rows_once_it_is_there(
    phones, out, built, make_speech, monkeypatch, fake_ffmpeg
):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PATH", str(out))
        assert built(phones, out).rejects == len(NEEDING)
    digests = []
    for version, decode in [("9.1", False), ("9.1", True), ("9.2", True)]:
        fake_ffmpeg(wave=make_speech(), version=version)
        summary = built(phones, out, decode=decode)
        assert (summary.rows, summary.rejects) == (1 + len(NEEDING), 0)
        assert summary.read == (len(NEEDING) + (version == "9.1" and decode))
        table = read_manifest(out).table
        names = {
            path.rpartition(".")[2]: by
            for path, by in zip(table["path"].to_pylist(), table["decoder"].to_pylist(), strict=True)
        }
        assert names == {"wav": None} | dict.fromkeys(NEEDING, f"ffmpeg {version}")
        assert set(table["duration_s"].to_pylist()) == {0.2, 2.0}
        digests.append({*table["audio_digest"].to_pylist()})
        assert built(phones, out, decode=decode).unchanged
    assert digests[0] == digests[1]
    assert len(digests[1] & digests[2]) == 1  # the one that libsndfile decodes
