"""Recordings in a store that speaks the protocol of S3, and on the web."""

import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from ser_pipeline.audio import read_recording, read_segment
from ser_pipeline.manifest import read_manifest
from ser_pipeline.manifest.digest import digest_bytes
from ser_pipeline.manifest.probe import probe
from ser_pipeline.records import Segment
from ser_pipeline.remote import objects
from ser_pipeline.remote.opening import opened_bytes

ADDRESS = "s3://bucket/data"
WAVS = f"{ADDRESS}/CREMA-D/AudioWAV"
NAME = "1001_IEO_ANG_LO.wav"
OBJECT = f"/bucket/data/CREMA-D/AudioWAV/{NAME}"


def test_a_manifest_of_an_address_is_that_of_its_copy_on_this_machine(ser, data):
    ser("manifest", "build", "--data", data, "--out", "here")
    said = ser("manifest", "build", "--data", ADDRESS, "--out", "there").output
    assert Path("here/manifest.parquet").read_bytes() == Path("there/manifest.parquet").read_bytes()
    assert read_manifest(Path("there")).table["age"].to_pylist()[0] == 51
    assert "looking for recordings below s3://bucket/data" in said
    again = ser("manifest", "build", "--data", ADDRESS, "--out", "there").output
    assert "nothing has changed since the last build" in again
    assert "no problems" in ser("manifest", "validate", "--manifests", "there").output


def test_stores_are_built_from_it(ser, data):
    ser("manifest", "build", "--data", ADDRESS)
    said = ser("cache", "waves").output
    assert "6 of 6 recordings (6 computed now, 0 failed)" in said


def test_predictions_are_those_of_the_files(ser, data):
    here = ser("predict", data / "CREMA-D" / "AudioWAV" / NAME, "--format", "json").stdout
    there = ser("predict", f"{WAVS}/{NAME}", f"{WAVS}/", "--format", "json").stdout
    first, *rest = map(json.loads, there.splitlines())
    assert {**json.loads(here), "file": ""} == {**first, "file": ""}
    assert len(rest) == 6
    assert first == rest[0]
    assert first["file"] == f"{WAVS}/{NAME}"


@pytest.mark.parametrize("faults", [[500], [503, 500], ["cut"], [429, "cut"]])
def test_what_fails_for_the_moment_is_tried_again(ser, server, data, faults):
    server.of[OBJECT] = list(faults)
    assert read_recording(Path(f"s3:/{OBJECT}"), 16_000).wave.size == 9_600
    assert server.of[OBJECT] == []


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        ([403] * 9, "access is denied; check the credentials that fsspec finds for it"),
        ([404] * 9, "there is nothing at its address"),
        ([500] * 9, "the connection failed"),
    ],
)
def test_a_recording_that_cannot_be_read_is_a_reject_with_its_reason(ser, server, data, faults, reason):
    server.of[OBJECT] = list(faults)
    found = probe(f"s3:/{OBJECT}")
    server.of[OBJECT] = []
    assert reason in found.problem
    assert found.size == -1


def test_an_object_that_changed_is_no_longer_the_one_of_the_manifest(ser, bucket, data):
    ser("manifest", "build", "--data", ADDRESS)
    path = OBJECT.removeprefix("/")
    before = bucket.cat_file(path)
    bucket.pipe_file(path, before[:-1000] + bytes(1000))
    said = ser("cache", "waves", status=1).output
    bucket.pipe_file(path, before)
    assert "1 recording has no row" in said
    assert "changed since the manifest was built; run 'ser manifest build'" in said


def test_large_objects_are_read_in_ranges(server, bucket, data, monkeypatch):
    monkeypatch.setattr("ser_pipeline.remote.objects.WHOLE_BYTES", 1000)
    monkeypatch.setattr("ser_pipeline.audio.decode.WHOLE_BYTES", 1000)
    monkeypatch.setattr("ser_pipeline.remote.objects._BLOCKS", (4096, 8192))
    whole = read_recording(data / "CREMA-D" / "AudioWAV" / NAME, 16_000)
    server.asked.clear()
    server.of[OBJECT] = ["cut"]
    found = read_recording(Path(f"s3:/{OBJECT}"), 16_000)
    assert found.digest == whole.digest
    assert (found.wave == whole.wave).all()
    assert len(server.asked) > 4
    assert all(asked.startswith("bytes=") for _, asked in server.asked)
    part = read_segment(Path(f"s3:/{OBJECT}"), Segment(0.1, 0.3), 16_000)
    assert part.wave.size == 3_200


def test_an_object_that_is_lost_while_it_is_read_is_no_damaged_recording(server, data, monkeypatch):
    monkeypatch.setattr("ser_pipeline.remote.objects.WHOLE_BYTES", 1000)
    monkeypatch.setattr("ser_pipeline.remote.objects._BLOCKS", (4096, 4096))

    def read(faults):
        with opened_bytes(Path(f"s3:/{OBJECT}")) as file:
            file.read(100)
            server.of[OBJECT] = faults
            return file.read()

    assert len(read([])) == 19_244 - 100
    with pytest.raises(OSError, match="the connection failed"):
        read([500] * 9)
    server.of[OBJECT] = []


def test_a_folder_that_holds_nothing_and_one_that_may_not_be_listed(ser, bucket):
    nothing = ser("manifest", "build", "--data", "s3://bucket/none", status=1).output
    assert "s3://bucket/none: no recordings found" in nothing
    lost = ser("manifest", "build", "--data", "s3://nobody/none", status=1).output
    assert "s3://nobody/none: " in lost
    assert "Traceback" not in lost


def test_what_is_not_installed_is_named(ser, monkeypatch):
    def lacking(address):
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacking)
    said = ser("manifest", "build", "--data", "gs://bucket/data", status=1).output
    assert (
        "gs://bucket/data: takes a library that is not installed; run: pip install 'ser-pipeline[remote]'"
        in said
    )


def test_an_address_on_the_web(served_files, data):
    wave = (data / "CREMA-D" / "AudioWAV" / NAME).read_bytes()
    served_files.files["a.wav"] = wave
    place = f"http://127.0.0.1:{served_files.server_port}"
    assert probe(f"{place}/whole/a.wav").digest == digest_bytes(wave)
    assert "access is denied" in probe(f"{place}/403/a.wav").problem
    assert probe(f"{place}/busy/a.wav").problem is None


def test_an_archive_on_a_server_that_gives_no_ranges(served_files, data, tmp_path):
    wave = data / "CREMA-D" / "AudioWAV" / NAME
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for number in range(3):
            archive.add(wave, f"{number}.wav")
    served_files.files["a.tar"] = (tmp_path / "a.tar").read_bytes()
    address = f"http://127.0.0.1:{served_files.server_port}/whole-only/a.tar"
    assert probe(f"tar://1.wav::{address}").digest == digest_bytes(wave.read_bytes())


def test_what_lies_outside_of_an_address_is_left_out_and_said(monkeypatch):
    outside = ["../../a.tex", "mels/../../a.h5", "..\\a.parquet", "C:/a.h5", "\\\\host\\a.h5"]
    names = [f"https://a.org/cache/{name}" for name in (*outside, "mels/..a\\b:1.h5", "folder/")]
    found = SimpleNamespace(
        find=lambda path, detail: {name: {"size": 1} for name in names}, invalidate_cache=lambda: None
    )
    monkeypatch.setattr(objects, "_store", lambda address: (found, address))
    told = []
    monkeypatch.setattr("ser_pipeline.errors.TOLD", [told.append])
    assert list(objects.listed_at(Path("https://a.org/cache"))) == ["mels/..a\\b:1.h5"]
    assert told == [
        "https://a.org/cache: left out '../../a.tex', '..\\\\a.parquet', 'C:/a.h5' and 2 more, "
        "which lie outside of it"
    ]


def test_a_web_server_that_cannot_be_reached_is_not_one_without_recordings(server, ser):
    said = ser("manifest", "build", "--data", "http://127.0.0.1:9/corpora", status=1).stderr
    assert "http://127.0.0.1:9/corpora: cannot be listed: the connection failed" in said
