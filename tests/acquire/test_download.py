import errno
import io
import shutil
import zipfile
from collections import namedtuple
from dataclasses import replace

import pytest

from ser_pipeline.acquire.download import WORK, accept, by_hand, download, is_accepted, left
from ser_pipeline.acquire.fetch import Patience
from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import CorpusError, SerError

QUICK = Patience(timeout_s=0.2, tries=2, wait_s=0.0)


def packed(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"wav/{name}.wav", data)
    return out.getvalue()


@pytest.fixture
def card(tones, server):
    """The card of a corpus of two archives and a table."""
    items = (
        server.offer("first.zip", packed(a=b"1" * 3_000)),
        server.offer("second.zip", packed(b=b"2")),
        server.offer("labels.csv", b"a,b\n"),
    )
    return replace(tones.CARD, downloads=items)


def content(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and WORK not in path.parts
    )


def test_all_files_come_and_archives_are_unpacked_once(card, tmp_path, server):
    accept(card, tmp_path)
    came = []
    assert download(card, tmp_path, on_bytes=came.append, patience=QUICK) == 3
    assert content(tmp_path / "tones") == ["labels.csv", "wav/a.wav", "wav/b.wav"]
    assert sum(came) == sum(item.size for item in card.downloads)
    assert sorted(path.name for path in (tmp_path / "tones" / WORK).iterdir()) == ["done.json", "lock"]
    asked = len(server.asked)
    assert left(card, tmp_path) == []
    assert download(card, tmp_path, patience=QUICK) == 0
    assert len(server.asked) == asked


def test_an_interrupted_download_goes_on_with_what_is_left(card, tmp_path, server):
    accept(card, tmp_path)
    whole = server.files.pop("second.zip")
    server.files["second.zip"] = b"x" * len(whole)
    with pytest.raises(CorpusError, match=r"second\.zip: the file is not the one that is described"):
        download(card, tmp_path, patience=QUICK)
    assert content(tmp_path / "tones") == ["wav/a.wav"]
    server.files["second.zip"] = whole
    assert [item.name for item in left(card, tmp_path)] == ["second.zip", "labels.csv"]
    assert download(card, tmp_path, patience=QUICK) == 2


def test_what_a_killed_process_left_is_continued_or_removed(card, tmp_path, server):
    accept(card, tmp_path)
    work = tmp_path / "tones" / WORK
    (work / ".unpacking-x").mkdir(parents=True)
    (work / "tmpabc").touch()
    (work / "first.zip").write_bytes(server.files["first.zip"])
    (work / "second.zip.partial").write_bytes(server.files["second.zip"][:50])
    assert download(card, tmp_path, patience=QUICK) == 3
    assert server.asked == ["bytes=50-", ""]
    assert sorted(path.name for path in work.iterdir()) == ["done.json", "lock"]


def test_an_archive_can_stay_one(card, tmp_path, server):
    item = server.offer("data.zip", packed(a=b"1"), unpack=False)
    kept = replace(card, downloads=(item,))
    accept(kept, tmp_path)
    download(kept, tmp_path, patience=QUICK)
    assert content(tmp_path / "tones") == ["data.zip"]


def test_the_licence_is_accepted_once_for_a_data_folder_and_its_wording(card, tmp_path):
    with pytest.raises(
        CorpusError, match=r"tones: its licence is not accepted yet \(CC0; .*--accept-licence"
    ):
        download(card, tmp_path, patience=QUICK)
    assert not list(tmp_path.iterdir())
    accept(card, tmp_path)
    accept(replace(card, name="other"), tmp_path)
    assert is_accepted(card, tmp_path)
    assert not is_accepted(replace(card, licence="CC BY"), tmp_path)
    assert not is_accepted(card, tmp_path / "elsewhere")
    (tmp_path / ".licences.json").write_text("[broken")
    assert not is_accepted(card, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "savee",
            "its publisher asks for a registration: see http://kahlan.eps.surrey.ac.uk/savee/, put it into",
        ),
        ("iemocap", "its publisher gives it on request: see https://sail.usc.edu/iemocap/"),
        ("tess", "no address with a known hash is described: see https://doi.org/10.5683/SP2/E8H2MF"),
    ],
)
def test_what_cannot_be_downloaded_says_how_it_is_obtained(tmp_path, name, message):
    card = CORPORA[name].CARD
    assert message in by_hand(card, tmp_path)
    accept(card, tmp_path)
    with pytest.raises(CorpusError, match="must be obtained by hand"):
        download(card, tmp_path)


def test_a_disk_that_is_too_small_is_said_before_anything_comes(card, tmp_path, server, monkeypatch):
    accept(card, tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9_999, 0, 100))
    with pytest.raises(CorpusError, match=r"needs at least [\d,]+ bytes, and 100 are free; free some space"):
        download(card, tmp_path, patience=QUICK)
    assert server.asked == []


def test_a_hostile_archive_changes_nothing(card, tmp_path, server):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../../evil.wav", b"x")
    evil = replace(card, downloads=(server.offer("evil.zip", out.getvalue()),))
    accept(evil, tmp_path / "data")
    with pytest.raises(CorpusError, match=r"'\.\./\.\./evil\.wav' leads outside its folder"):
        download(evil, tmp_path / "data", patience=QUICK)
    assert content(tmp_path) == ["data/.licences.json"]


def test_two_downloads_to_one_folder_do_not_meet(card, tmp_path, monkeypatch):
    accept(card, tmp_path)

    def taken(*_):
        raise BlockingIOError(errno.EAGAIN, "held")

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "fcntl", taken)
    monkeypatch.setattr(fcntl, "lockf", taken)
    with pytest.raises(CorpusError, match="another process is downloading to this folder"):
        download(card, tmp_path, patience=QUICK)


def test_a_data_folder_that_is_a_file_is_one_line(card, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SerError, match="file"):
        accept(card, tmp_path / "file")
