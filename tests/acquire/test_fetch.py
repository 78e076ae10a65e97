import errno
import socket

import pytest

from ser_pipeline.acquire.fetch import Patience, fetch
from ser_pipeline.errors import CorpusError, SerError

DATA = bytes(range(256)) * 400
QUICK = Patience(timeout_s=0.2, tries=3, wait_s=0.0)


@pytest.fixture
def came():
    """Bytes that were reported; their sum is what lies on the disk."""
    return []


def got(item, tmp_path, came):
    return fetch(item, tmp_path, on_bytes=came.append, patience=QUICK)


@pytest.mark.parametrize("how", ["whole", "cut", "busy", "slow"])
def test_a_file_comes_whole_however_often_the_server_fails(server, tmp_path, came, how):
    path = got(server.offer("a.bin", DATA, how), tmp_path, came)
    assert path.read_bytes() == DATA
    assert sum(came) == len(DATA)
    assert [each.name for each in tmp_path.iterdir()] == ["a.bin"]
    if how == "cut":
        assert server.asked == ["", "bytes=32768-", "bytes=65536-"]  # whole pieces are kept


def test_what_came_before_is_not_fetched_again(server, tmp_path, came):
    (tmp_path / "a.bin.partial").write_bytes(DATA[:1_000])
    assert got(server.offer("a.bin", DATA), tmp_path, came).read_bytes() == DATA
    assert server.asked == ["bytes=1000-"]
    assert came[0] == 1_000
    assert sum(came) == len(DATA)


@pytest.mark.parametrize("how", ["whole-only", "misplaced"])
def test_a_server_that_cannot_continue_begins_again(server, tmp_path, came, how):
    (tmp_path / "a.bin.partial").write_bytes(DATA[:1_000])
    assert got(server.offer("a.bin", DATA, how), tmp_path, came).read_bytes() == DATA
    assert sum(came) == len(DATA)


@pytest.mark.parametrize("part", [b"x" * 1_000, DATA + b"x", b"x" * len(DATA)])
def test_a_wrong_beginning_is_fetched_once_more(server, tmp_path, came, part):
    (tmp_path / "a.bin.partial").write_bytes(part)
    assert got(server.offer("a.bin", DATA), tmp_path, came).read_bytes() == DATA
    assert sum(came) == len(DATA)


@pytest.mark.parametrize(
    ("how", "changes", "message"),
    [
        ("404", {}, "a.bin: the server answers 404 Not Found"),
        (
            "500",
            {},
            "the server answers 500 Internal Server Error; 0 of 102,400 bytes are kept: run the same",
        ),
        ("whole", {"sha256": "0" * 64}, r"not the one that is described \(its hash is not sha256:0+\)"),
        ("whole", {"sha256": "", "md5": "0" * 32}, r"its hash is not md5:0+\)"),
        ("whole", {"size": 7}, "offers 102,400 bytes instead of 7: not the file that is described"),
        ("endless", {}, "is larger than 102,400 bytes: not the file that is described"),
        ("stuck", {}, "32,768 of 102,400 bytes are kept: run the same command again to continue"),
    ],
)
def test_what_the_server_does_wrong_is_one_line(server, tmp_path, came, how, changes, message):
    with pytest.raises(CorpusError, match=message) as raised:
        got(server.offer("a.bin", DATA, how, **changes), tmp_path, came)
    assert "\n" not in str(raised.value)
    kept = [each.name for each in tmp_path.iterdir()]
    assert kept == (["a.bin.partial"] if how == "stuck" else [])


def test_a_server_that_is_not_there_is_one_line(server, tmp_path, came):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    item = server.offer("a.bin", DATA)
    gone = type(item)(url=f"http://127.0.0.1:{port}/a.bin", size=1, sha256=item.sha256)
    with pytest.raises(CorpusError, match=r"the connection failed \(refused\); 0 of 1 bytes are kept"):
        got(gone, tmp_path, came)


def test_a_full_disk_keeps_what_came(server, tmp_path, came, monkeypatch):
    from ser_pipeline.acquire import fetch as module

    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module._Transfer, "_opened", lambda self: Full())
    with pytest.raises(SerError, match=r"a\.bin\.partial: no space left to write"):
        got(server.offer("a.bin", DATA), tmp_path, came)


def test_a_folder_that_is_none_is_one_line(server, tmp_path, came):
    (tmp_path / "file").touch()
    with pytest.raises(SerError, match="file"):
        fetch(server.offer("a.bin", DATA), tmp_path / "file", patience=QUICK)
