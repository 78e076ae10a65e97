import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.atomic import (
    TEMPORARY_SUFFIX,
    check_writable,
    explained,
    lock_file,
    remove_file,
    remove_unfinished,
    whole_folder,
    write_atomically,
    write_parquet,
)
from ser_pipeline.errors import SerError


def half_write(target, error):
    with write_atomically(target) as part:
        part.write_text("half")
        raise error


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError):
        half_write(target, ZeroDivisionError())
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_interrupt_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        half_write(tmp_path / "a.txt", KeyboardInterrupt())
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writers_left_beside_one_file_is_removed(tmp_path):
    left = [tmp_path / f".a[1].h5.{pid}-0badcafe{TEMPORARY_SUFFIX}" for pid in (7, 81)]
    others = [tmp_path / name for name in ("a[1].h5", ".a1.h5.7-0badcafe.partial", ".a[1].h5.lock")]
    for path in (*left, *others):
        path.write_text("part")
    remove_unfinished(tmp_path / "a[1].h5")
    assert sorted(tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize(("call", "method"), [(remove_file, "unlink"), (check_writable, "touch")])
def test_what_may_not_be_written_is_one_line(tmp_path, monkeypatch, call, method):
    path = tmp_path / "a.parquet"
    call(path.parent if method == "touch" else path)  # missing or writable

    def refuse(self, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(SerError, match="not writable; choose another folder or change its permissions"):
        call(path)
    assert not list(tmp_path.iterdir())


def test_folders_are_made(tmp_path):
    with write_atomically(tmp_path / "a" / "b" / "c.txt") as part:
        part.write_text("whole")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "whole"


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(SerError, match=r"a\.txt: cannot be written: No such file"),
        write_atomically(tmp_path / "a.txt"),
    ):
        pass


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError, match="cannot be written"), write_atomically(tmp_path / "file" / "a.txt"):
        pass


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space left to write; nothing was lost"),
        (errno.EDQUOT, "no space left"),
        (errno.EFBIG, "no space left"),
        (errno.EROFS, "not writable; choose another folder"),
        (errno.EACCES, "not writable"),
        (errno.EIO, "cannot be written: Input/output error"),
    ],
)
def test_failures_say_what_to_do(tmp_path, number, message):
    import os

    assert message in str(explained(OSError(number, os.strerror(number)), tmp_path / "a"))


def test_a_table_is_written_whole_and_compressed(tmp_path):
    table = pa.table({"a": [1, 2, 3]})
    write_parquet(tmp_path / "b" / "a.parquet", table)
    assert pq.read_table(tmp_path / "b" / "a.parquet").equals(table)
    assert pq.read_metadata(tmp_path / "b" / "a.parquet").row_group(0).column(0).compression == "ZSTD"
    with pytest.raises(SerError, match=r"a\.parquet: cannot be written"):
        write_parquet(tmp_path / "b" / "a.parquet" / "a.parquet", table)


TAKEN = SerError("another holds it")


def holds(path, start, count):
    """Whether another process can hold these bytes."""
    code = (
        "import pathlib, sys\nfrom ser_pipeline.atomic import TEMPORARY_SUFFIX, lock_file\n"
        "from ser_pipeline.errors import SerError\n"
        "place = int(sys.argv[2]), int(sys.argv[3])\n"
        "with lock_file(pathlib.Path(sys.argv[1]), SerError('no'), *place):\n    pass"
    )
    words = [sys.executable, "-c", code, str(path), str(start), str(count)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("by_handle", [True, False])
def test_bytes_are_held_until_the_block_ends(tmp_path, monkeypatch, by_handle):
    if not by_handle:
        monkeypatch.delattr(pytest.importorskip("fcntl"), "F_OFD_SETLK", raising=False)
    with lock_file(tmp_path / "a.lock", TAKEN, 3, 2):
        assert [holds(tmp_path / "a.lock", *place) for place in ((0, 3), (4, 1), (0, 0))] == [
            True,
            False,
            False,
        ]
    assert holds(tmp_path / "a.lock", 0, 0)


@pytest.mark.usefixtures("locks_of_handles")
def test_a_lock_keeps_out_other_handles_of_its_own_process_and_outlives_them(tmp_path):
    path = tmp_path / "a.lock"
    with lock_file(path, TAKEN, 0, 1):
        with lock_file(path, TAKEN, 1, 1):
            pass
        with pytest.raises(SerError, match="another holds it"), lock_file(path, TAKEN, 0, 1):
            pass
        assert not holds(path, 0, 1)


def test_a_folder_without_locks_is_one_line(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "fcntl", none)
    monkeypatch.setattr(fcntl, "lockf", none)
    with (
        pytest.raises(SerError, match=r"a\.lock: cannot be written: No locks available"),
        lock_file(tmp_path / "a.lock", TAKEN),
    ):
        pass


class Windows:
    """Locks as Windows has them: bytes from where the file stands, and an error where another holds one."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.held: list[tuple[int, int]] = []
        self.others: list[tuple[int, int]] = []

    def locking(self, handle: int, mode: int, count: int) -> None:
        first = os.lseek(handle, 0, os.SEEK_CUR)
        if mode == self.LK_UNLCK:
            self.held.remove((first, first + count))
            return
        for start, end in self.others:
            if first < end and start < first + count:
                raise OSError(errno.EACCES, "Permission denied")
        self.held.append((first, first + count))


@pytest.fixture
def windows(monkeypatch):
    system = Windows()
    monkeypatch.setitem(sys.modules, "msvcrt", system)
    monkeypatch.setattr("ser_pipeline.atomic.sys", SimpleNamespace(platform="win32"))
    return system


def test_windows_locks_the_same_bytes(tmp_path, windows):
    with lock_file(tmp_path / "lock", None, 7, 2), lock_file(tmp_path / "other", None, 3):
        assert windows.held == [(7, 9), (3, 2**31 - 1)]
    assert windows.held == []


def test_windows_locks_no_more_bytes_than_it_can_count(tmp_path, windows):
    with lock_file(tmp_path / "lock", None, 5, 1 << 40):
        assert windows.held == [(5, 2**31 - 1)]
    assert windows.held == []


def test_windows_refuses_bytes_that_another_holds(tmp_path, windows):
    windows.others = [(8, 9)]
    with pytest.raises(SerError, match="taken"), lock_file(tmp_path / "lock", SerError("taken"), 7, 2):
        pass
    with lock_file(tmp_path / "lock", SerError("taken"), 9, 1):
        assert windows.held == [(9, 10)]


def test_windows_waits_for_bytes_that_another_holds(tmp_path, windows, monkeypatch):
    windows.others = [(0, 1)]
    monkeypatch.setattr("ser_pipeline.atomic.time", SimpleNamespace(sleep=lambda s: windows.others.clear()))
    with lock_file(tmp_path / "lock", None):
        assert windows.held == [(0, 2**31 - 1)]


def test_windows_writes_files_and_folders_whole(tmp_path, windows, monkeypatch):
    def as_there(path, flags, *mode):
        if Path(path).is_dir() or flags == os.O_RDONLY:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, flags, *mode)

    opened, renamed = os.open, os.replace
    monkeypatch.setattr(os, "open", as_there)
    monkeypatch.setattr(os, "replace", lambda a, b: renamed(a, b) if not Path(b).is_dir() else as_there(b, 0))
    with write_atomically(tmp_path / "a.txt") as part:
        part.write_text("whole")
    (tmp_path / "folder").mkdir()
    with whole_folder(tmp_path / "folder") as folder:
        (folder / "b.txt").write_text("whole")
    assert {path.name for path in tmp_path.rglob("*.txt")} == {"a.txt", "b.txt"}


@pytest.mark.parametrize("out", [".", "../empty", ""])
def test_the_current_folder_is_not_replaced(tmp_path, monkeypatch, out):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(SerError, match=r"is the current folder, which cannot be replaced; name a new one"):
        whole_folder(Path(out)).__enter__()
    with whole_folder(Path("../empty/sub/..", "new")) as folder:
        (folder / "b.txt").touch()
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["b.txt"]


def test_a_file_system_that_syncs_no_folders_is_written_to(tmp_path, monkeypatch):
    def on_some_shares(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode) or failing:
            raise OSError(errno.EINVAL, "Invalid argument")

    failing = False
    monkeypatch.setattr(os, "fsync", on_some_shares)
    with write_atomically(tmp_path / "a.txt") as part:
        part.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    failing = True  # and what cannot write files is not passed over
    with pytest.raises(SerError, match="cannot be written"), write_atomically(tmp_path / "b.txt") as part:
        part.write_text("whole")
