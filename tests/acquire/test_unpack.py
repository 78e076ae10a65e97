import io
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple

import pytest

from ser_pipeline.acquire import unpack as module
from ser_pipeline.acquire.unpack import unpack
from ser_pipeline.errors import CorpusError, SerError

FILES = {"wav/a.wav": b"sound", "wav/b.wav": b"more", "notes.txt": b"x" * 5_000}


def zipped(path, files):
    """Write a ZIP file; a value that is not bytes is the mode of what has no content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if isinstance(data, int):
                info.external_attr = (data | 0o777) << 16
                data = b"/etc/passwd"
            archive.writestr(info, data)
    return path


def tarred(path, files, mode="w:gz"):
    """Write a tar file; a value that is not bytes is the type of what has no content."""
    with tarfile.open(path, mode) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            if isinstance(data, tuple):
                info.type, info.linkname = data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"])
def test_archives_of_all_kinds_are_unpacked(tmp_path, name):
    make = zipped if name.endswith("zip") else tarred
    mode = {"xz": {"mode": "w:xz"}, "bz2": {"mode": "w:bz2"}, "tar": {"mode": "w"}}.get(
        name.rpartition(".")[2], {}
    )
    archive = make(tmp_path / name, FILES.items(), **mode)
    assert unpack(archive, tmp_path / "out") == 3
    assert content(tmp_path / "out") == FILES


def test_files_that_are_there_are_replaced_and_others_stay(tmp_path):
    out = tmp_path / "out"
    (out / "wav").mkdir(parents=True)
    (out / "wav" / "a.wav").write_bytes(b"old")
    (out / "own.txt").write_bytes(b"own")
    unpack(zipped(tmp_path / "a.zip", FILES.items()), out)
    assert content(out) == {**FILES, "own.txt": b"own"}


def test_backslashes_are_folders(tmp_path):
    unpack(zipped(tmp_path / "a.zip", [("wav\\a.wav", b"x")]), tmp_path / "out")
    assert content(tmp_path / "out") == {"wav/a.wav": b"x"}


OUTSIDE = "leads outside its folder; nothing was unpacked"
HOSTILE = {
    "above": ([("../evil", b"x")], OUTSIDE),
    "deep": ([("a/../../evil", b"x")], OUTSIDE),
    "root": ([("/tmp/evil", b"x")], OUTSIDE),
    "drive": ([("C:/evil", b"x")], OUTSIDE),
    "backslash": ([("..\\evil", b"x")], OUTSIDE),
    "twice": ([("a", b"1"), ("a", b"2")], "'a' twice; nothing was unpacked"),
    "below a file": ([("a", b"1"), ("a/b", b"2")], "cannot be written"),
}


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_names_are_refused_and_nothing_is_left(tmp_path, make, case):
    files, message = HOSTILE[case]
    archive = make(tmp_path / "a.zip", [("good.wav", b"x"), *files])
    with pytest.raises(SerError, match=message):
        unpack(archive, tmp_path / "out")
    assert content(tmp_path) == {"a.zip": archive.read_bytes()}


@pytest.mark.parametrize(
    ("make", "data", "what"),
    [
        (zipped, stat.S_IFLNK, "link"),
        (zipped, stat.S_IFCHR, "device"),
        (tarred, (tarfile.SYMTYPE, "/etc/passwd"), "link"),
        (tarred, (tarfile.SYMTYPE, "good.wav"), "link"),
        (tarred, (tarfile.LNKTYPE, "../../evil"), "link"),
        (tarred, (tarfile.CHRTYPE, ""), "device"),
        (tarred, (tarfile.FIFOTYPE, ""), "device"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, make, data, what):
    archive = make(tmp_path / "a.zip", [("good.wav", b"x"), ("bad", data)])
    with pytest.raises(CorpusError, match=f"'bad' is a {what}; nothing was unpacked"):
        unpack(archive, tmp_path / "out")
    assert content(tmp_path / "out") == {}


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_that_unpack_to_far_too_much_are_refused(tmp_path, monkeypatch, make):
    monkeypatch.setattr(module, "LEAST_ROOM", 1 << 16)
    archive = make(tmp_path / "a.zip", [(f"{number}.bin", bytes(1 << 20)) for number in range(3)])
    with pytest.raises(CorpusError, match="unpacks to far more than recordings do"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("make", [zipped, tarred])
def test_archives_that_do_not_fit_are_refused(tmp_path, monkeypatch, make):
    usage = namedtuple("usage", "total used free")
    archive = make(tmp_path / "a.zip", FILES.items())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9_999, 0, 4_999))
    with pytest.raises(CorpusError, match="needs more than the 4,999 bytes that are free beside it"):
        unpack(archive, tmp_path / "out")
    assert content(tmp_path / "out") == {}


def test_damaged_and_locked_archives_are_one_line(tmp_path):
    whole = zipped(tmp_path / "a.zip", FILES.items()).read_bytes()
    packed = tarred(tmp_path / "a.tgz", [("a", bytes(range(256)) * 500)]).read_bytes()
    locked = bytearray(whole)
    locked[6] |= 1  # of the first file's own header
    locked[whole.index(b"PK\x01\x02") + 8] |= 1  # and of the directory
    flipped = bytearray(whole)
    flipped[45] ^= 0xFF
    for number, data in enumerate(
        (b"", b"no archive", whole[:60], packed[:-400], bytes(locked), bytes(flipped))
    ):
        broken = tmp_path / f"{number}.zip"
        broken.write_bytes(data)
        with pytest.raises(CorpusError, match=f"{number}.zip: cannot be unpacked: ") as raised:
            unpack(broken, tmp_path / "out")
        assert "\n" not in str(raised.value)
    assert content(tmp_path / "out") == {}
