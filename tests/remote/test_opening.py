"""Recordings inside tar, zip and Parquet files, on this machine and in a store."""

import io
import re
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from ser_pipeline.manifest import read_manifest, read_rejects
from ser_pipeline.remote.addresses import ABSENT
from ser_pipeline.remote.opening import _kept, holds_files, opened_bytes, state_at


@pytest.fixture(scope="module")
def sounds():
    rng = np.random.default_rng(0)

    def sound():
        file = io.BytesIO()
        soundfile.write(file, 0.1 * rng.normal(size=8_000), 16_000, format="WAV")
        return file.getvalue()

    return {f"anna/{name}.wav": sound() for name in "abcd"}


@pytest.fixture(scope="module")
def archives(sounds, tmp_path_factory):
    """A folder with the same recordings in an archive of each kind."""
    folder = tmp_path_factory.mktemp("archives")
    with tarfile.open(folder / "a.tar", "w") as tar, zipfile.ZipFile(folder / "a.zip", "w") as zipped:
        for name, data in sounds.items():
            head = tarfile.TarInfo(name)
            head.size = len(data)
            tar.addfile(head, io.BytesIO(data))
            method = zipfile.ZIP_DEFLATED if name < "anna/c" else zipfile.ZIP_STORED
            zipped.writestr(name, data, compress_type=method)
    cells = [{"bytes": data, "path": name} for name, data in sounds.items()]
    labels = ["anger", "joy", "sad", "neutral"]
    table = pa.table({"audio": cells, "emotion": labels, "speaker": ["x", "x", "y", "y"], "file": labels})
    pq.write_table(table, folder / "a.parquet", row_group_size=3)
    with tarfile.open(folder / "a.tar.gz", "w:gz") as tar:
        tar.add(folder / "a.zip", "a.zip")
    return folder


@pytest.fixture(params=["here", "store"])
def place(request, archives):
    """Where the archives are: a folder, or an address."""
    if request.param == "here":
        return str(archives)
    bucket = request.getfixturevalue("bucket")
    if not bucket.exists("bucket/archives"):
        bucket.put(str(archives), "bucket/archives", recursive=True)
    return "s3://bucket/archives"


def test_members_hold_the_bytes_of_the_files(place, sounds):
    for row, (name, data) in enumerate(sounds.items()):
        for address in (
            f"tar://{name}::{place}/a.tar",
            f"zip://{name}::{place}/a.zip",
            f"parquet://audio/{row}::{place}/a.parquet",
        ):
            with opened_bytes(Path(address)) as file:
                assert file.read() == data


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("tar://none.wav::PLACE/a.tar", "there is no 'none.wav' in PLACE/a.tar"),
        ("zip://none.wav::PLACE/a.zip", "there is no 'none.wav' in PLACE/a.zip"),
        ("tar://none.wav::PLACE/none.tar", "PLACE/none.tar is not there or cannot be read"),
        ("tar://a.wav::PLACE/a.tar.gz", "PLACE/a.tar.gz is not a tar archive, or a compressed one"),
        ("zip://a.wav::PLACE/a.tar", "PLACE/a.tar is not a zip archive"),
        ("parquet://audio/4::PLACE/a.parquet", "PLACE/a.parquet has no row 4"),
        ("parquet://sound/0::PLACE/a.parquet", "has no column 'sound'; it has audio, emotion"),
        (
            "parquet://emotion/0::PLACE/a.parquet",
            "column 'emotion' of PLACE/a.parquet holds string",
        ),
        ("parquet://audio/x::PLACE/a.parquet", "an address in a Parquet file is parquet://COLUMN/ROW::FILE"),
        ("parquet://audio/0::PLACE/a.zip", "PLACE/a.zip cannot be read as Parquet"),
    ],
)
def test_what_is_not_in_an_archive(place, member, reason):
    address = Path(member.replace("PLACE", place))
    with pytest.raises(OSError, match=re.escape(reason.replace("PLACE", place))), opened_bytes(address):
        pass


def test_a_table_of_contents_is_read_once_however_many_archives_there_are(tmp_path, monkeypatch):
    scans, open_tar = [], tarfile.open
    for number in range(20):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as tar:
            for name in "ab":
                tar.addfile(tarfile.TarInfo(name))
    monkeypatch.setattr(tarfile, "open", lambda *a, **k: scans.append(k["fileobj"].name) or open_tar(*a, **k))
    places = [f"tar://{name}::{tmp_path}/{number}.tar" for name in "ab" for number in range(20)]
    assert [state_at(place).size for place in places] == [0] * 40
    assert len(scans) == len({*scans}) == 20


def test_what_was_found_lately_is_kept_up_to_a_weight_and_found_once_at_a_time():
    made = []

    @_kept(10, len)
    def text(letter, count):
        made.append(letter)
        if letter == "x":
            raise OSError("damaged")
        time.sleep(0.05 if letter == "z" else 0)
        return letter * count

    assert [text(letter, 4) for letter in "abacab"] == [4 * letter for letter in "abacab"]
    assert made == [*"abcb"]  # b was the oldest when c came
    assert [text("y", 99), text("b", 4), text("y", 99), made.count("y")] == ["y" * 99, "bbbb", "y" * 99, 1]
    for _ in range(2):
        with pytest.raises(OSError, match="damaged"):
            text("x", 1)
    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(lambda _: text("z", 1), range(4))] == ["z"] * 4
    assert made.count("z") == 1


def test_tables_name_members(ser, place, sounds):
    lines = [f"tar://{name}::{place}/a.tar,sad" for name in sounds]
    lines += [f"tar://lost.wav::{place}/a.tar,joy"]
    Path("mine.csv").write_text("\n".join(["path,emotion", *lines]) + "\n", encoding="utf-8")
    ser("manifest", "build", "--csv", "mine.csv")
    table = read_manifest(Path("manifests")).table
    assert table.num_rows == 4
    (reject,) = read_rejects(Path("manifests")).to_pylist()
    assert (
        reject["reason"] == f"not readable: there is no 'lost.wav' in {place}/a.tar"
        or "no 'lost.wav'" in reject["reason"]
    )
    assert "4 of 4 recordings (4 computed now, 0 failed)" in ser("cache", "waves").output
    again = ser("manifest", "build", "--csv", "mine.csv").output
    assert "4 recordings" in again


def test_a_parquet_file_with_recordings_is_a_table_of_them(ser, place):
    ser("manifest", "build", "--csv", f"{place}/a.parquet")
    table = read_manifest(Path("manifests")).table
    assert table["emotion_id"].to_pylist() == [0, 1, 3, 2]
    assert table["speaker_id"].to_pylist() == ["a-x", "a-x", "a-y", "a-y"]
    assert "4 of 4 recordings (4 computed now, 0 failed)" in ser("cache", "waves").output


def test_relative_archives_lie_beside_the_table(ser, archives, sounds):
    table = archives / "table.csv"
    table.write_text("path,emotion\n" + "\n".join(f"zip://{name}::a.zip,sad" for name in sounds) + "\n")
    ser("manifest", "build", "--csv", table)
    assert read_manifest(Path("manifests")).table.num_rows == 4


def test_a_name_that_no_file_can_have(tmp_path):
    assert state_at(f"{tmp_path}/a\0.wav") == state_at(f"tar://a.wav::{tmp_path}/b\0.tar") == ABSENT
    with pytest.raises(OSError, match="not a regular file"), opened_bytes(tmp_path / "a\0.wav"):
        pass


def test_files_lie_in_columns_of_bytes_of_either_kind():
    for kind, holds in ((pa.binary(), True), (pa.large_binary(), True), (pa.string(), False)):
        assert holds_files(pa.struct([("bytes", kind), ("path", pa.string())])) is holds
        assert not holds_files(kind)
